package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
)

// replayChunk is how many bytes of the log are read at a time.
const replayChunk = 1 << 20

// groupsLog lets package group keep its state in a partition: partition 0 of __consumer_offsets.
type groupsLog struct {
	log     *commitlog.Log
	relieve func(bytes int, err error) bool // told of an append that failed; true: there is room for another attempt
	tell    func(commitlog.Damage)          // told of what is lost
}

// stateLog is the log of one of the broker's own topics. On a full disk it goes on from the reserve.
func (b *Broker) stateLog(t *topics.Topics, topic *topics.Topic) groupsLog {
	return groupsLog{topic.Partition(0).Log, b.relieve, t.Damaged}
}

// relieve makes room for what the broker itself has to write, when that failed because the disk is full; true: there is.
func (b *Broker) relieve(bytes int, err error) bool {
	r := b.room.Load()
	return r != nil && r.Relieve(bytes, err)
}

// Append writes one batch and says where it lies.
func (g groupsLog) Append(batch []byte) (first, last record.Offset, err error) {
	a, err := g.log.Append(batch)
	if err != nil && g.relieve(len(batch), err) {
		a, err = g.log.Append(batch)
	}
	return a.Base, a.Last, fenced(err)
}

// AppendMarker ends a transaction.
func (g groupsLog) AppendMarker(producerID int64, epoch int16, commit bool) (record.Offset, error) {
	m := commitlog.Marker{ProducerID: producerID, Epoch: epoch, Commit: commit}
	a, err := g.log.AppendMarker(m)
	if err != nil && g.relieve(0, err) {
		a, err = g.log.AppendMarker(m)
	}
	return a.Last, fenced(err)
}

// fenced says in the groups' words that a newer producer has been seen.
func fenced(err error) error {
	if errors.Is(err, commitlog.ErrInvalidProducerEpoch) {
		return fmt.Errorf("%w: %w", group.ErrProducerFenced, err)
	}
	return err
}

// WaitDurable waits for the disk.
func (g groupsLog) WaitDurable(ctx context.Context, last record.Offset) error {
	return g.log.WaitDurable(ctx, last)
}

// DropBefore deletes what lies before offset.
func (g groupsLog) DropBefore(offset record.Offset) error { return g.log.DeleteBefore(offset) }

// behindLost is where the log goes on behind an offset that reading was refused for, if that is lost, or behind the
// end of a file that was cut short.
func (g groupsLog) behindLost(at record.Offset, short []commitlog.Damage, refused error) (record.Offset, bool) {
	if !errors.Is(refused, commitlog.ErrDamaged) {
		return at, false
	}
	lost := slices.DeleteFunc(g.log.Damages(), func(d commitlog.Damage) bool { return !d.Lost })
	for _, d := range append(lost, short...) {
		if d.From <= at && at < d.To {
			return d.To, true
		}
	}
	return at, false
}

// Replay calls f with each batch, oldest first. What is in no file is passed over: the log has named it, and a broker
// that does not start helps nobody to what is lost.
func (g groupsLog) Replay(ctx context.Context, f func(batch []byte) error) error {
	var buf []byte
	var short []commitlog.Damage
	if err := g.log.Missing(func(d commitlog.Damage) { short = append(short, d); g.tell(d) }); err != nil {
		return err
	}
	for next := g.log.Start(); next < g.log.End(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		span, err := g.log.Read(next, replayChunk)
		if behind, lost := g.behindLost(next, short, err); lost {
			next = behind
			continue
		}
		if err != nil {
			return err
		}
		file, position := "", span.Position
		if span.File != nil {
			file = span.File.Name()
		}
		buf, err = span.AppendTo(buf[:0])
		span.Release()
		if err != nil {
			return err
		}
		if len(buf) == 0 {
			return fmt.Errorf("reading %s: nothing at offset %d, before its end %d", g.log.Name(), next, g.log.End())
		}
		for batch := buf; len(batch) > 0; {
			h, err := record.ParseHeader(batch)
			if err == nil && !record.CheckCRC(batch[:h.Size()]) {
				err = errors.New("bad CRC")
			}
			if err != nil {
				return fmt.Errorf("reading %s at position %d (offset %d): %w: put back a copy of the folder, or move it away to begin without what is in it",
					file, position+int64(len(buf)-len(batch)), next, err)
			}
			if err := f(batch[:h.Size()]); err != nil {
				return err
			}
			batch, next = batch[h.Size():], h.NextOffset()
		}
	}
	return nil
}
