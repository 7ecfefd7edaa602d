package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// errDrained says that the partition was taken away before it was ours.
var errDrained = errors.New("the partition was taken away before it could be taken over")

// takeOver reads the group's commit, asks the sink where to go on, and commits in our name before the first batch: the
// next owner then knows from where on ours are.
func (w *Worker) takeOver(ctx context.Context) (record.Offset, error) {
	wait := firstWait
	for {
		from, err := w.tryTakeOver(ctx)
		if err == nil || errors.Is(err, ErrFenced) {
			return from, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		w.failing(err)
		if err := w.pause(ctx, &wait); err != nil {
			return 0, err
		}
		if w.isDraining() {
			return 0, errDrained
		}
	}
}

func (w *Worker) tryTakeOver(ctx context.Context) (record.Offset, error) {
	t, p := w.cfg.Topic, w.cfg.Partition
	c, err := w.cfg.Commits.Fetch(ctx, t, p)
	if err != nil {
		return 0, fmt.Errorf("reading the commit of %s/%d: %w", t, p, err)
	}
	note := parseNote(c.Metadata)
	start := c.Offset
	switch {
	case c.Offset == sink.NoOffset:
		start, err = w.cfg.Origins.Start(ctx, t, p)
	case note.Topic != "" && w.cfg.Incarnation != "" && note.Topic != w.cfg.Incarnation:
		note, c.Offset = Note{}, sink.NoOffset // of another topic with the same name
		start, err = w.cfg.Origins.Earliest(ctx, t, p)
	}
	if err != nil {
		return 0, fmt.Errorf("looking for the start of %s/%d: %w", t, p, err)
	}
	mine, left := note.takeOver(w.cfg.Owner, start)
	mine.Digest, mine.Topic = w.cfg.Digest, w.cfg.Incarnation
	from, err := w.cfg.Sink.Assign(ctx, sink.Assignment{
		Topic: t, Partition: p, Incarnation: w.cfg.Incarnation, Start: start, Left: left, Reset: note.Reset,
	})
	if err != nil {
		return 0, err
	}
	w.note = mine
	first := max(from, c.Offset)
	if note.Reset {
		first = from
	}
	if err := w.cfg.Commits.Commit(ctx, t, p, Commit{Offset: first, Metadata: mine.String()}); err != nil {
		err = fmt.Errorf("taking over %s/%d: %w", t, p, err)
		return 0, errors.Join(err, w.cfg.Sink.Revoke(ctx, t, p))
	}
	w.commitLanded(first)
	return from, nil
}
