package ledger

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

var entry = Entry{
	Host: "web-1", Path: "/var/log/a.log", Generation: "1f0c9a3e", Topic: "web_log", Partition: 3, From: 5, Read: 100, Acked: 90, Tail: 7, Waiting: 10,
	Skipped: Skipped{Filters: 7, LongLines: 2, Start: 5}, Lost: 4, Gaps: []Gap{{From: 20, To: 24, AtLeast: true}}, PossibleDoubles: 1, Ended: true,
	TopicID: "AQAAAAAAAAAAAAAAAAAAAA", Earlier: 8, Time: time.UnixMilli(1764000000000).UTC(),
}

func TestAnEntryIsReadBackAsItWasWritten(t *testing.T) {
	value, err := entry.Value()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(value)
	if err != nil || !reflect.DeepEqual(got, entry) {
		t.Errorf("read back %+v, %v; want %+v", got, err, entry)
	}
	if got.Skipped.Total() != 14 {
		t.Errorf("%d bytes were left out, want 14", got.Skipped.Total())
	}
	if key := string(entry.Key()); key != "web_log:1f0c9a3e:web-1:/var/log/a.log" {
		t.Errorf("its key is %s", key)
	}
}

func TestAnEntryOfANewerVersionIsRefusedWithItsNumber(t *testing.T) {
	for value, word := range map[string]string{
		`{"v":7}`: "version 7", `[]`: "reading an entry", `{"v":1}`: "no sense",
		`{"v":1,"topic":"t","generation":"0","acked":3,"tail_skipped":4}`: "no sense",
	} {
		if _, err := Read([]byte(value)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q in it", value, err, word)
		}
	}
}

func FuzzEntriesThatAreReadMakeSense(f *testing.F) {
	value, _ := entry.Value()
	f.Add(value)
	f.Add([]byte(`{"v":1,"topic":"t","generation":"00000000","from":-1}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := Read(value)
		if err != nil {
			return
		}
		if e.Tail > e.Acked || e.From < Unknown {
			t.Errorf("%s was taken for %+v", value, e)
		}
	})
}
