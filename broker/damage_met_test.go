package broker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/broker"
)

// A reader comes to a batch whose offset is wrong before any check of the files does: what lies before is served, the file
// is checked at once and its damage named, here and at the next start, until a trim as told gives it up.
func TestDamageThatAReaderMeetsIsCheckedNamedAndRemembered(t *testing.T) {
	const lines = 60
	data := filled(t, broker.Config{Settings: smallSegments}, lines)
	paths, first := segmentsOf(t, data, "web_log-0")
	b, err := os.ReadFile(paths[2])
	if err != nil {
		t.Fatal(err)
	}
	size := 12 + int(b[11]) + int(b[10])<<8
	b[size+7] ^= 0x55 // the second batch's offset
	if err := os.WriteFile(paths[2], b, 0o600); err != nil {
		t.Fatal(err)
	}
	checked := fmt.Sprintf(`{"version":1,"began":%q,"done":true}`, time.Now().Format(time.RFC3339)) // all files were checked just now
	if err := os.WriteFile(filepath.Join(data, "scrub-progress.json"), []byte(checked), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := first[2] + 1
	place := []string{fmt.Sprintf("%s is damaged at position %d", filepath.Base(paths[2]), size), fmt.Sprintf("offsets %d to %d of web_log-0", bad, bad),
		fmt.Sprintf("loghaul topic trim web_log --partition 0 --before %d --yes", bad+1)}
	r := start(t, broker.Config{Data: data, Settings: smallSegments})
	r.consume("web_log", int(bad)) // all before it
	wantRefused(t, r.addr, bad)
	r.wantSaid(1, place...)
	eventually(t, "a note about it", func() bool { return strings.Contains(fmt.Sprint(r.broker.Notes()), place[0]) })
	behind := map[string]map[int32]kgo.Offset{"web_log": {0: kgo.NewOffset().At(bad + 1)}}
	poll(t, r.client(kgo.ConsumePartitions(behind)), lines-int(bad)-1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	r = start(t, broker.Config{Data: data, Settings: smallSegments})
	r.wantSaid(1, place...)
	wantRefused(t, r.addr, bad)
	var before kadm.Offsets
	before.AddOffset("web_log", 0, bad+1, -1)
	if _, err := kadm.NewClient(r.client()).DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if notes := r.broker.Notes(); len(notes) > 0 {
		t.Errorf("given up, and noted yet: %q", notes)
	}
	r.consume("web_log", lines-int(bad)-1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data, Settings: smallSegments})
	r.consume("web_log", lines-int(bad)-1)
	r.wantSaid(0, "is damaged")
}
