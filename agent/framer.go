package agent

import (
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
)

// framer makes batches again for produce, from the files that the journal names.
type framer struct{ a *Agent }

// Rebuild makes a journaled batch again as it was.
func (f *framer) Rebuild(e *journal.Entry) ([]byte, error) {
	how, err := f.settings(e)
	if err != nil {
		return nil, err
	}
	b, err := how.Rebuild(e, f.fetch)
	if errors.Is(err, batch.ErrDiffers) {
		err = fmt.Errorf("%w: %w", produce.ErrDiffers, err)
	}
	return b, err
}

// Reframe makes anew what is left of a batch.
func (f *framer) Reframe(e *journal.Entry) ([]produce.Part, int64, error) {
	how, err := f.settings(e)
	if err != nil {
		return nil, 0, err
	}
	fresh, sealed, lost, err := how.Reframe(e, f.fetch)
	f.a.metrics.lost.Add(lost)
	if err != nil || fresh == nil {
		return nil, lost, err
	}
	return []produce.Part{{Entry: fresh, Bytes: sealed}}, lost, nil
}

// Split makes two batches of one.
func (f *framer) Split(e *journal.Entry, sealed []byte) ([]produce.Part, error) {
	halves, err := batch.Split(e, sealed)
	if errors.Is(err, batch.ErrTooSmall) {
		return nil, produce.ErrTooSmall
	}
	var parts []produce.Part
	for _, h := range halves {
		parts = append(parts, produce.Part{Entry: h.Entry, Bytes: h.Sealed})
	}
	return parts, err
}

// settings are those of the input that framed a batch first, as the journal kept them.
func (f *framer) settings(e *journal.Entry) (*batch.Framer, error) {
	in, ok := f.a.journal.Input(e.Input)
	if !ok {
		return nil, fmt.Errorf("the journal does not hold the input that framed batch %d", e.Seq)
	}
	return batch.ReadFramer(f.a.cfg.Host, in.Data)
}

// fetch reads the bytes of a journaled range back.
func (f *framer) fetch(r journal.Range) (batch.Origin, error) {
	g, ok := f.a.journal.Get(r.Ref)
	if !ok {
		return batch.Origin{}, fmt.Errorf("the journal does not know generation %d: %w", r.Ref, follow.ErrGone)
	}
	cp := checkpoint(g)
	cp.Position, cp.Tail, cp.TailLength = r.End, r.Tail, r.TailLength
	data, err := follow.ReadRange(g.Path, cp, r.Start, r.End, nil)
	return batch.Origin{Generation: g.Name, Path: g.Path, Data: data}, err
}
