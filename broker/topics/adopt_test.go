package topics

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

func TestStartsOfAKafkasLogsAreRead(t *testing.T) {
	got, err := parseStarts("0\n3\nweb_log 0 5\nweb_log 2 9223372036854775807\nother 1 0\n")
	want := map[string]map[int32]record.Offset{"web_log": {0: 5, 2: 9223372036854775807}, "other": {1: 0}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := parseStarts("0\n0\n"); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "0\n", "1\n0\n", "0\n2\nweb_log 0 5\n", "0\n1\nweb_log 0\n", "0\n1\nweb_log x 5\n", "0\n1\nweb_log 0 -5\n", "0\n1\nweb_log 4294967296 5\n"} {
		if got, err := parseStarts(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func FuzzStarts(f *testing.F) {
	f.Add("0\n3\nweb_log 0 5\nweb_log 2 7\nother 1 0\n")
	f.Add("0\n-1\n")
	f.Fuzz(func(t *testing.T, content string) {
		starts, err := parseStarts(content)
		n := 0
		for _, partitions := range starts {
			for _, offset := range partitions {
				if n++; offset < 0 {
					t.Errorf("offset %d", offset)
				}
			}
		}
		if err == nil && n > strings.Count(content, "\n")+1 {
			t.Errorf("%d starts out of %q", n, content)
		}
	})
}

// Records that somebody had deleted from a Kafka's log do not come back.
func TestATakenOverLogBeginsWhereTheKafkaSaid(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		put(t, made.Partition(0), "a")
	}
	id := made.ID
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Remove(filepath.Join(dir, "web_log-0", manifestFile)), os.WriteFile(filepath.Join(dir, startsFile), []byte("0\n1\nweb_log 0 3\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if l := again.Get("web_log").Partition(0).Log; l.Start() != 3 || l.End() != 5 || again.Get("web_log").ID != id {
		t.Errorf("the log has %d to %d, want 3 to 5", l.Start(), l.End())
	}
	if _, err := os.Stat(filepath.Join(dir, "web_log-0", manifestFile)); err != nil {
		t.Errorf("the topic is not taken over: %v", err)
	}
}

// A deletion that the disk cut short leaves folders; a new topic of the same name must not find its predecessor's records.
func TestWhatIsLeftOfADeletedTopicIsNotTheNewOnes(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, made.Partition(1), "old")
	kept := filepath.Join(t.TempDir(), "kept")
	mark := filepath.Join(dir, deletedPrefix+hexOf(made.ID))
	if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := topics.Delete("web_log"); err != nil {
		t.Fatal(err)
	}
	// As if the sweep had ended in an error behind the first rename.
	err = errors.Join(os.CopyFS(mark, os.DirFS(filepath.Join(kept, "web_log-0"))), os.CopyFS(filepath.Join(dir, "web_log-1"), os.DirFS(filepath.Join(kept, "web_log-1"))))
	if err != nil {
		t.Fatal(err)
	}
	again, err := topics.Create("web_log", 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if end := again.Partition(1).Log.End(); end != 0 {
		t.Errorf("the new topic's partition has %d records", end)
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the deletion is not finished: %v", err)
	}
	if got := readMetadata(disk.Real{}, filepath.Join(dir, "web_log-1")); got != again.ID {
		t.Errorf("the folder says %s, want %s", got, again.ID)
	}
}

func hexOf(id ID) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range id {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func TestTheShareOfEachLogInWhatIsReadAgain(t *testing.T) {
	for logs, want := range map[int]int64{0: 16 << 20, 1: 16 << 20, 32: 16 << 20, 64: 8 << 20, 1000: 536870, 20_000: 64 << 10} {
		if got := recheckShare(logs); got != want {
			t.Errorf("of %d logs each is read again from %d bytes before its point, want %d", logs, got, want)
		}
	}
}

// A Kafka makes its file of the logs' starts empty at its first start and fills it a minute later: one that was killed
// before that is taken over all the same.
func TestAnEmptyFileOfStartsSaysNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, startsFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if starts, err := readStarts(disk.Real{}, dir); err != nil || len(starts) != 0 {
		t.Errorf("%d starts, %v", len(starts), err)
	}
}
