package handle

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// WriteTxnMarkers (key 27, v0-v1): write the end of a producer's transaction into partitions. Between the brokers of a
// cluster it is how transactions end; here the one who asks is an operator, who ends a transaction that hangs
// (kafka-transactions abort). The answer comes when the markers are durable.
//
// Behaviour:
//   - The coordinator is not asked: a marker in an epoch of the producer older than the partition has seen is
//     INVALID_PRODUCER_EPOCH, one of an older coordinator TRANSACTION_COORDINATOR_FENCED. An epoch above the coordinator's
//     own is taken as that.
//   - It is for those who may alter the cluster or act for it, else CLUSTER_AUTHORIZATION_FAILED.
//
// Versions: v1 is flexible.
func (h *Handlers) writeTxnMarkers(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.WriteTxnMarkersRequest)
	allowed := h.mayCluster(r.Peer, acl.Alter) || h.mayCluster(r.Peer, acl.ClusterAction)
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	var waits []func(context.Context)
	for _, m := range req.Markers {
		answer := kmsg.NewWriteTxnMarkersResponseMarker()
		answer.ProducerID = m.ProducerID
		marker := txn.Marker{Producer: txn.Producer{ID: txn.ProducerID(m.ProducerID), Epoch: m.ProducerEpoch}, Commit: m.Committed, CoordinatorEpoch: m.CoordinatorEpoch}
		for _, t := range m.Topics {
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = t.Topic
			topic.Partitions = make([]kmsg.WriteTxnMarkersResponseMarkerTopicPartition, len(t.Partitions))
			for i, index := range t.Partitions {
				p := &topic.Partitions[i]
				p.Partition, p.ErrorCode = index, errClusterAuthorizationFailed
				if allowed {
					waits = h.writeMarker(r.Peer, waits, txn.Partition{Topic: t.Topic, Index: index}, marker, &p.ErrorCode)
				}
			}
			answer.Topics = append(answer.Topics, topic)
		}
		resp.Markers = append(resp.Markers, answer)
	}
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		for _, wait := range waits {
			wait(ctx)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return resp, nil
	}}, nil
}

// writeMarker writes one marker and adds the wait for it to the others; code hears what became of it.
func (h *Handlers) writeMarker(peer Peer, waits []func(context.Context), p txn.Partition, m txn.Marker, code *int16) []func(context.Context) {
	if m.Producer.ID < 0 || m.Producer.Epoch < 0 {
		*code = errUnknownServer // as Kafka, which falls over it
		return waits
	}
	wait, err := h.cfg.Txns.Mark(p, m)
	if *code = markerCode(err); err != nil {
		return waits
	}
	h.log.Info("wrote the end of a transaction that an operator asked for", peer.Who(), "topic", p.Topic, "partition", p.Index,
		"producer_id", int64(m.Producer.ID), "producer_epoch", m.Producer.Epoch, "commit", m.Commit)
	return append(waits, func(ctx context.Context) { *code = markerCode(wait(ctx)) })
}

// markerCode is the wire's code for a marker that was not written.
func markerCode(err error) int16 {
	switch {
	case err == nil:
		return errNone
	case errors.Is(err, txn.ErrNoPartition):
		return errUnknownTopicOrPartition
	case errors.Is(err, txn.ErrStaleEpoch):
		return errInvalidProducerEpoch
	case errors.Is(err, commitlog.ErrCoordinatorFenced):
		return errTransactionCoordinatorFenced
	}
	code, _ := produceError(err)
	return code
}
