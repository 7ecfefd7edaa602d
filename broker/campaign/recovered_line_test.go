package campaign

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/internal/record"
)

// What recovery cuts is one line of these words on the process's standard error, whatever level its log has.
func TestACutIsOneLineOnStandardError(t *testing.T) {
	data := t.TempDir()
	p := launch(t, data, "127.0.0.1:0", "127.0.0.1:0")
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.wait()["broker"]), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := range 90 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log", Value: fmt.Appendf(nil, "line %d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	cl.Close()
	p.stop()
	path := filepath.Join(data, "web_log-0", "00000000000000000000.log")
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := record.ParseHeader(stored)
	if err != nil {
		t.Fatal(err)
	}
	next := bytes.Clone(stored[:h.Size()])
	record.Stamp(next, 90, 1<<10)
	next[len(next)-1] ^= 1
	if err := os.WriteFile(path, slices.Concat(stored, next), 0o600); err != nil {
		t.Fatal(err)
	}
	again := launch(t, data, "127.0.0.1:0", "127.0.0.1:0", "--log-level", "error")
	again.wait()
	again.stop()
	want := fmt.Sprintf("recovered web_log-0: truncated %d bytes at position %d of 00000000000000000000.log (offset 90): bad CRC", len(next), len(stored))
	if lines := strings.Split(again.said(), "\n"); !slices.Contains(lines, want) || again.recovered() != 1 {
		t.Errorf("want the line\n%s\ngot\n%s", want, again.said())
	}
}
