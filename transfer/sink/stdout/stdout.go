// Package stdout is the sink that writes one line a record to a stream, usually standard output: at least once, for
// a stream cannot be cut after a kill.
package stdout

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// flushSize is how much is gathered before it is written.
const flushSize = 64 << 10

// Sink writes lines to one stream; batches of different partitions never mix. It is safe for concurrent use.
type Sink struct {
	mu struct {
		sync.Mutex
		out io.Writer
		buf []byte
	}
}

// Parse refuses a value that has fields which type stdout does not know.
func Parse(v etcdconf.Sink) error {
	var f struct{ etcdconf.SinkFields }
	return etcdconf.Strict(etcdconf.Value{Name: v.Name, Key: v.Key, Revision: v.Revision, Data: v.Raw}, &f)
}

// New makes a sink that writes to out, which stays the caller's.
func New(out io.Writer) *Sink {
	s := &Sink{}
	s.mu.out = out
	return s
}

// Guarantee is what the sink reaches.
func (s *Sink) Guarantee() sink.Guarantee { return sink.AtLeastOnce }

// Needs is nothing but the line.
func (s *Sink) Needs() sink.Needs { return sink.Needs{} }

// Assign goes on from the group's commit: a stream remembers nothing.
func (s *Sink) Assign(_ context.Context, a sink.Assignment) (record.Offset, error) {
	return a.Start, nil
}

// Write writes the batch's lines; nil means that the stream took them.
func (s *Sink) Write(ctx context.Context, b sink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	buf := s.mu.buf[:0]
	for i := range b.Records {
		buf = append(append(buf, b.Records[i].Value...), '\n')
		if len(buf) < flushSize && i < len(b.Records)-1 {
			continue
		}
		if _, err := s.mu.out.Write(buf); err != nil {
			return fmt.Errorf("writing %d lines of %s/%d: %w", len(b.Records), b.Topic, b.Partition, err)
		}
		buf = buf[:0]
	}
	if s.mu.buf = buf; cap(buf) > 4*flushSize {
		s.mu.buf = nil // one huge line must not stay in memory
	}
	return nil
}

// Revoke has nothing to let go of.
func (s *Sink) Revoke(context.Context, string, int32) error { return nil }

// Close leaves the stream open: it is the caller's.
func (s *Sink) Close() error { return nil }
