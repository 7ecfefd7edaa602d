package agent

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
)

// send gives the batch its place in a partition's sequence, journals it and puts it on
// its way. It waits for as long as the partition takes no more: that is how slowness of
// a broker stops reading.
func (l *lane) send(ctx context.Context) error {
	buf, ok := l.bufs.take()
	for ; !ok; buf, ok = l.bufs.take() {
		if err := l.await(ctx, nil); err != nil { // for an answer
			return err
		}
	}
	err := l.insist(ctx, func() error {
		part, t, err := l.reserve(ctx)
		if err != nil {
			return err
		}
		if buf, err = l.batch.Trade(buf, t.Producer, time.Now()); err != nil {
			t.Cancel()
			return err
		}
		e := l.batch.Entry(journal.Partition{Topic: l.topic.name, Number: part}, t.TopicID, t.Producer, l.input.ref)
		began := time.Now()
		if err := l.a.journal.Begin(e); err != nil {
			t.Cancel()
			return err
		}
		l.a.metrics.journalled("begin", time.Since(began))
		l.launch(t, e, buf, l.batch.Bytes())
		return nil
	})
	if err != nil {
		l.bufs.put(l.batch.Untrade(buf))
		return err
	}
	l.batch.Reset()
	return nil
}

// launch sends a journaled batch. Its buffer comes back with the acknowledgement, from
// another goroutine.
func (l *lane) launch(t *produce.Turn, e *journal.Entry, buf []byte, source int64) {
	l.mail.Lock()
	l.mail.inFlight++
	l.mail.Unlock()
	in := l.a.metrics.inputs.of(l.input.Name)
	t.Send(produce.Batch{Entry: e, Bytes: buf, Done: func() {
		l.bufs.put(buf)
		l.a.metrics.bytes.Add(source)
		in.acked.Add(source)
		l.mail.Lock()
		l.mail.inFlight--
		l.mail.Unlock()
		l.nudge()
	}})
}

// reserve waits for a turn: of the lane's partition, or of the next that has room. Any of
// them may be without a leader for long, so all are tried again.
func (l *lane) reserve(ctx context.Context) (int32, *produce.Turn, error) {
	for {
		changed := l.parts[l.turn].Changed()
		for range l.parts {
			l.turn = (l.turn + 1) % len(l.parts)
			if t := l.parts[l.turn].Try(); t != nil {
				return l.number(), t, nil
			}
		}
		if err := l.await(ctx, changed); err != nil {
			return l.number(), nil, err
		}
	}
}

// number is the partition whose turn it is.
func (l *lane) number() int32 {
	if l.part == spread {
		return int32(l.turn)
	}
	return l.part
}

// skipMost is how many skipped bytes may pass before they are journaled though no
// record follows them: so much is read again after a crash at most.
const skipMost = 1 << 20

// skipFar journals skipped bytes when there are many of them.
func (l *lane) skipFar(ctx context.Context, src *source) error {
	if src.End-max(src.Sent, src.skipped) < skipMost {
		return nil
	}
	if !l.batch.Empty() {
		if err := l.send(ctx); err != nil {
			return err
		}
	}
	return l.insist(ctx, func() error { return l.skip(src) })
}

// skips journals what was skipped at the end of streams that have nothing more, once
// the lines before it are begun.
func (l *lane) skips() {
	if l.batch != nil && !l.batch.Empty() {
		return
	}
	for s := range l.trailing {
		delete(l.trailing, s)
		for _, src := range s.sources {
			if err := l.skip(src); err != nil {
				l.trailing[s] = true
				l.a.journalFails(err)
				return
			}
		}
	}
}

// skip journals that the bytes before src.End carry no record.
func (l *lane) skip(src *source) error {
	from := max(src.Sent, src.skipped)
	if src.End <= from {
		return nil
	}
	if err := l.a.journal.Skip(src.Ref, from, src.End, src.Left.Minus(src.Noted)); err != nil {
		return err
	}
	src.skipped, src.Noted = src.End, src.Left
	return nil
}
