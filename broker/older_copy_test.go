package broker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/broker"
)

// An older copy of a whole partition folder is put in place of the newer one: what the copy does not hold is lost, said so
// at each start, and no new record gets its offsets.
func TestAnOlderCopyOfAPartitionGivesOutNoOffsetTwice(t *testing.T) {
	data := filled(t, broker.Config{}, 20)
	folder := filepath.Join(data, "web_log-0")
	older := filepath.Join(t.TempDir(), "web_log-0")
	if err := os.CopyFS(older, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	filledMore(t, data, 20, 30)
	r := start(t, broker.Config{Data: data})
	r.commitTo("quick", 0, 25)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(t.TempDir(), "web_log-0")
	for _, step := range []error{os.Rename(folder, newer), os.CopyFS(folder, os.DirFS(older))} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for i := range 2 {
		r = start(t, broker.Config{Data: data})
		r.wantSaid(1, "offsets 20 to 29 of web_log-0 are lost", "an older copy", "put back a copy")
		if i == 0 {
			r.produce(r.client(), "web_log", 30, 31)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	files, _, err := copyLogs(newer, folder)
	if err != nil || files == 0 {
		t.Fatalf("%d files were put back: %v", files, err)
	}
	r = start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 31), 31)
	if n := r.log.count("level=ERROR"); n > 0 {
		t.Errorf("%d errors in a folder that is whole", n)
	}
}

// filledMore writes more lines.
func filledMore(t *testing.T, data string, from, to int) {
	t.Helper()
	r := start(t, broker.Config{Data: data})
	cl := r.client()
	for i := from; i < to; i++ {
		r.produce(cl, "web_log", i, i+1)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// The first segments are gone: it is said at each start and in the state of the disk, with the groups that had not read
// them, until they are put back or given up.
func TestLostFirstSegmentsAreNamedUntilTheyAreGivenUpOrPutBack(t *testing.T) {
	for _, mend := range []string{"trim", "put back"} {
		t.Run(mend, func(t *testing.T) {
			const lines = 60
			data := filled(t, broker.Config{Settings: smallSegments}, lines)
			r := start(t, broker.Config{Data: data, Settings: smallSegments})
			r.commitTo("slow", 0, 3)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			paths, first := segmentsOf(t, data, "web_log-0")
			kept := map[string][]byte{}
			for _, p := range paths[:2] {
				b, err := os.ReadFile(p)
				if err == nil {
					err = os.Remove(p)
				}
				if err != nil {
					t.Fatal(err)
				}
				kept[p] = b
			}
			words := []string{"is missing", fmt.Sprintf("offsets 0 to %d of web_log-0 are lost", first[2]-1), "put back", fmt.Sprintf("topic trim web_log --partition 0 --before %d", first[2])}
			for i := range 2 {
				r = start(t, broker.Config{Data: data, Settings: smallSegments})
				r.wantSaid(1, words...)
				r.wantSaid(1-i, "groups had not read", fmt.Sprintf("slow (%d)", first[2]-3))
				if mend == "trim" && i == 1 {
					r.trim("web_log", 0, first[2])
				}
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
			}
			from := int(first[2])
			if mend == "put back" {
				from = 0
				for p, b := range kept {
					if err := os.WriteFile(p, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			r = start(t, broker.Config{Data: data, Settings: smallSegments})
			if n := r.log.count("level=ERROR"); n > 0 {
				t.Errorf("%d errors after the mend", n)
			}
			if got := len(r.consume("web_log", lines-from)); got != lines-from {
				t.Errorf("%d records, want %d", got, lines-from)
			}
		})
	}
}
