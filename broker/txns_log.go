package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/txn"
)

// txnMarkers lets package txn write the ends of transactions into partitions. Those of __consumer_offsets go through the
// groups, which make the offsets visible.
type txnMarkers struct {
	topics  *topics.Topics
	groups  *group.Coordinator
	relieve func(bytes int, err error) bool // as of groupsLog
}

// Mark writes one.
func (t txnMarkers) Mark(p txn.Partition, m txn.Marker) (wait func(context.Context) error, err error) {
	if p.Topic == group.Topic { // whatever partition a Kafka had it in: all of it is in one here
		return func(ctx context.Context) error {
			return staleEpoch(t.groups.CompleteTxn(ctx, int64(m.Producer.ID), m.Producer.Epoch, m.Commit))
		}, nil
	}
	topic := t.topics.Get(p.Topic)
	if topic == nil || topic.Partition(p.Index) == nil {
		return nil, txn.ErrNoPartition
	}
	log := topic.Partition(p.Index).Log
	marker := commitlog.Marker{ProducerID: int64(m.Producer.ID), Epoch: m.Producer.Epoch, Commit: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}
	a, err := log.AppendMarker(marker)
	if err != nil && t.relieve(0, err) {
		a, err = log.AppendMarker(marker)
	}
	if err != nil {
		return nil, t.gone(p, staleEpoch(err))
	}
	return func(ctx context.Context) error { return t.gone(p, log.WaitDurable(ctx, a.Last)) }, nil
}

// gone turns the error of a log that was closed because its topic is deleted into what it means.
func (t txnMarkers) gone(p txn.Partition, err error) error {
	if errors.Is(err, commitlog.ErrClosed) && t.topics.Get(p.Topic) == nil {
		return txn.ErrNoPartition
	}
	return err
}

// staleEpoch says in the transactions' words that a partition has seen a newer epoch of the producer.
func staleEpoch(err error) error {
	if errors.Is(err, commitlog.ErrInvalidProducerEpoch) || errors.Is(err, group.ErrProducerFenced) {
		return fmt.Errorf("%w: %w", txn.ErrStaleEpoch, err)
	}
	return err
}

// txns opens the room of the transactions.
func (b *Broker) txns(ctx context.Context, t *topics.Topics, epoch int32, ids *txn.ProducerIDs, groups *group.Coordinator) (*txn.Coordinator, error) {
	topic, err := b.stateTopic(ctx, t, txn.Topic)
	if err != nil {
		return nil, err
	}
	s := b.settings
	c, err := txn.New(txn.Config{
		MaxTimeout:   s.Millis("transaction.max.timeout.ms"),
		Expiration:   s.Millis("transactional.id.expiration.ms"),
		AbortCheck:   s.Millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		ExpireCheck:  s.Millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
		Epoch:        epoch,
		RewriteBytes: b.rewriteBytes(),
		Logger:       b.cfg.Logger,
	}, b.stateLog(t, topic), ids, txnMarkers{t, groups, b.relieve})
	if err != nil {
		return nil, err
	}
	return c, c.Load(ctx)
}

// stateSettings are those of the broker's own topics; segments are small because only whole ones are dropped.
var stateSettings = map[string]string{"cleanup.policy": "compact", "segment.bytes": "8388608"}
