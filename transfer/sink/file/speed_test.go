package file

import (
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// BenchmarkWrite stores batches of 4 MiB of lines, each with its fsyncs and its sidecar.
func BenchmarkWrite(b *testing.B) {
	s, err := Open(Config{Name: "out", Root: b.TempDir(), Host: "web-1", Settings: Settings{
		path: template{parts: []string{"", "topic", "/", "partition", ".log"}}, compression: "none", rollBytes: 256 << 20, single: true,
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Assign(b.Context(), sink.Assignment{Topic: "web_log", Left: sink.NoOffset}); err != nil {
		b.Fatal(err)
	}
	const lines = (4 << 20) / 170
	text := []byte(strings.Repeat("x", lines*169))
	batch := sink.Batch{Topic: "web_log"}
	for i := range lines {
		batch.Records = append(batch.Records, sink.Record{Value: text[i*169 : (i+1)*169]})
	}
	b.SetBytes(lines * 170)
	for b.Loop() {
		batch.First = batch.Next
		for i := range batch.Records {
			batch.Records[i].Offset = batch.Next
			batch.Next++
		}
		if err := s.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(record.Offset(b.N)*lines)/b.Elapsed().Seconds(), "lines/s")
}
