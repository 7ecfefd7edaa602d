package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKcatCarriesHeadersKeysAndNullsWithEveryCodec(t *testing.T) {
	r := start(t, broker.Config{})
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			r := &running{t: t, addr: r.addr}
			topic := "full-" + codec
			r.kcat("a:one\nb:\n", "-P", "-t", topic, "-z", codec, "-K", ":", "-Z", "-H", "pos=1", "-H", "pos=2", "-H", "empty=", "-X", "enable.idempotence=true", "-X", "acks=all")
			if got, want := r.kcat("", "-C", "-t", topic, "-e", "-q", "-Z", "-f", "%k %s %h;"), "a one pos=1,pos=2,empty=;b NULL pos=1,pos=2,empty=;"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestKcatAsksForOffsetsByTime(t *testing.T) {
	r := start(t, broker.Config{})
	cl := r.client()
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 10 {
		rec := &kgo.Record{Topic: "web_log", Value: []byte("line"), Timestamp: began.Add(time.Duration(i) * time.Minute)}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[int64]int{began.UnixMilli() - 5: 0, began.Add(3 * time.Minute).UnixMilli(): 3, began.Add(3*time.Minute).UnixMilli() + 1: 4, -1: 10, -2: 0} {
		if got := r.kcat("", "-Q", "-t", fmt.Sprintf("web_log:0:%d", at)); got != fmt.Sprintf("web_log [0] offset %d\n", want) {
			t.Errorf("asked for %d: %q, want offset %d", at, got, want)
		}
	}
	at := began.Add(4 * time.Minute).UnixMilli()
	if got := r.kcat("", "-C", "-t", "web_log", "-o", fmt.Sprintf("s@%d", at), "-o", fmt.Sprintf("e@%d", at+120_000), "-e", "-q", "-f", "%o "); got != "4 5 " {
		t.Errorf("from time to time: %q, want offsets 4 and 5", got)
	}
	if got := r.kcat("", "-L", "-J"); !strings.Contains(got, `"topic":"web_log"`) || !strings.Contains(got, `"controllerid":1`) {
		t.Errorf("metadata as JSON: %s", got)
	}
}

func TestKcatInATransaction(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	r.kcat("one\ntwo\n", "-P", "-t", "web_log", "-X", "transactional.id=kcat")
	r.kcat("three\n", "-P", "-t", "web_log", "-X", "transactional.id=kcat")
	if got := r.kcat("", "-C", "-t", "web_log", "-e", "-q", "-X", "isolation.level=read_committed"); got != "one\ntwo\nthree\n" {
		t.Errorf("got %q", got)
	}
}
