package broker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/broker"
)

// Somebody takes files away, and puts them back, while the broker is stopped: no stop was unclean, what is missing is named
// from its first file to its last, and what came back is told of once.
func TestFilesTakenAwayAfterACleanStopAreNoUncleanStop(t *testing.T) {
	for _, files := range []int{1, 3} {
		data := filled(t, broker.Config{Settings: smallSegments}, 60)
		paths, _ := segmentsOf(t, data, "web_log-0")
		gone, kept := paths[len(paths)-files:], t.TempDir()
		for _, p := range gone {
			if err := os.Rename(p, filepath.Join(kept, filepath.Base(p))); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, broker.Config{Data: data, Settings: smallSegments})
		first, last := filepath.Base(gone[0]), filepath.Base(gone[len(gone)-1])
		missing := last + " is missing"
		if first != last {
			missing = fmt.Sprintf("%s to %s are missing", first, last)
		}
		r.wantSaid(1, missing, "of web_log-0 are lost")
		if r.log.count(unclean) != 0 {
			t.Errorf("%d files were taken away after a clean stop:\n%s", len(gone), r.log)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := copyLogs(kept, filepath.Join(data, "web_log-0")); err != nil {
			t.Fatal(err)
		}
		r = start(t, broker.Config{Data: data, Settings: smallSegments})
		r.wantSaid(len(gone), "is taken in again")
		if r.log.count(unclean) != 0 || r.log.count("aborted transactions") != 0 {
			t.Errorf("%d files were put back after a clean stop:\n%s", len(gone), r.log)
		}
		wantLines(t, r.consume("web_log", 60), 60)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAGoneTopicIsOneLineForAllPartitionsOfItsGroups(t *testing.T) {
	data := t.TempDir()
	r := start(t, broker.Config{Data: data, Settings: map[string]string{"num.partitions": "3"}})
	r.produce(r.client(), "web_log", 0, 9)
	for p := range int32(3) {
		r.commitTo("wide", p, 1)
	}
	r.commitTo("narrow", 2, 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for p := range 3 {
		if err := os.RemoveAll(filepath.Join(data, fmt.Sprintf("web_log-%d", p))); err != nil {
			t.Fatal(err)
		}
	}
	r = start(t, broker.Config{Data: data})
	r.wantSaid(1, "a topic is gone", `groups="narrow (partition 2 at 1), wide (3 partitions)"`)
	if n := r.log.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors for one topic:\n%s", n, r.log)
	}
}

// A reader that looks for a time and comes to damage is told of with that time: it is no offset.
func TestDamageMetByATimeIsSaidWithTheTime(t *testing.T) {
	data := filled(t, broker.Config{}, 30)
	path := filepath.Join(data, "web_log-0", "00000000000000000000.log")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[16] = 9 // the magic of the first batch
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data})
	_, _ = kadm.NewClient(r.client(kgo.RetryTimeout(time.Second))).ListOffsetsAfterMilli(t.Context(), 1_000_000_000_000, "web_log") // it is refused in the answer
	r.wantSaid(1, "a reader is at records that are damaged or lost", "topic=web_log", "time=1000000000000")
	if r.log.count("offset=1000000000000") != 0 {
		t.Errorf("a time is said as an offset:\n%s", r.log)
	}
}
