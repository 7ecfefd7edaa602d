package agent

import (
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/agent/spool"
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

// Found takes over a stored batch that the journal does not know of. While streams of
// its topic run they may have read its lines again already, which is counted.
func (f *framer) Found(at journal.Partition, sealed []byte, ours bool) (int64, error) {
	finder := batch.Finder{Host: f.a.cfg.Host}
	runs, err := finder.Find(sealed)
	if err != nil {
		f.a.log.Warn("a stored batch cannot be read and is passed over", "topic", at.Topic, "partition", at.Number, "err", err)
		return 0, nil
	}
	f.a.mu.Lock()
	t := f.a.mu.topics[at.Topic]
	late := t.ready
	f.a.mu.Unlock()
	doubles := int64(0)
	for _, run := range runs {
		g, ok := f.a.journal.Named(at.Topic, run.Generation)
		if !ok && run.Path != "" {
			g, ok, err = f.identified(at, run)
		}
		if err != nil {
			return doubles, err
		}
		switch {
		case !ok && ours && run.Path == "" && late: // nobody looks for its file any more
			doubles += run.Records
		case !ok && run.Path == "" && !late:
			if !t.strays.add(stray{run, ours}) && ours {
				doubles += run.Records
			}
		case ok && !ours && run.Path == "" && run.To > g.Position: // another host may have sent it
			doubles += run.Records
			f.a.journal.Doubled(g.Ref, run.Records)
		}
		if !ok || !ours && run.Path == "" {
			continue // its file is gone, or is not ours: nothing of it will be read
		}
		if late && run.To > g.Begun {
			doubles += run.Records
			f.a.journal.Doubled(g.Ref, run.Records)
		}
		tail, length := f.tail(at.Topic, run)
		if err := f.a.journal.Found(g.Ref, run.From, run.To, tail, length); err != nil {
			return doubles, err
		}
		if _, begun := f.a.journal.Progress(g.Ref); !late && run.To > begun && !t.strays.took(g.Ref, run) {
			doubles += run.Records
			f.a.journal.Doubled(g.Ref, run.Records)
		}
	}
	return doubles, nil
}

// tail is the hash of the source bytes just before the end of a run, where its last
// record tells them.
func (f *framer) tail(topic string, run batch.Run) (uint64, int) {
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	for _, in := range f.a.mu.inputs {
		if in.Topic == topic && len(in.Redact) > 0 {
			return 0, 0 // what it says may have been changed on its way
		}
	}
	return follow.Tail(run.Last)
}

// identified takes up a generation that the journal does not know, if its file is there.
func (f *framer) identified(at journal.Partition, run batch.Run) (g journal.Generation, ok bool, err error) {
	files, err := follow.Identify(run.Path, true, f.a.access.Check)
	if err != nil {
		return g, false, err
	}
	for _, cp := range files {
		if life, ok := cp.Lives(run.Generation); ok {
			g, err := f.a.journal.Register(journal.Generation{Topic: at.Topic, ID: journalID(life.ID), Name: run.Generation, Path: run.Path, Began: life.Began, Partition: at.Number, From: journal.Unknown})
			return g, err == nil, err
		}
	}
	return g, false, nil
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
	if data, err := f.a.spool.ReadRange(spool.Key{Topic: g.Topic, ID: cp.ID}, r.Start, r.End, nil); err == nil {
		return batch.Origin{Generation: g.Name, Path: g.Path, Data: data}, nil
	}
	data, err := follow.ReadRange(g.Path, cp, r.Start, r.End, nil)
	return batch.Origin{Generation: g.Name, Path: g.Path, Data: data}, err
}
