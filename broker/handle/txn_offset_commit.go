package handle

import (
	"cmp"
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TxnOffsetCommit (key 28, v0-v4): a group has read up to here, if the producer's transaction commits. The answer comes
// when that is durable; the offsets are the group's from the commit on.
//
// Behaviour:
//   - The transaction must be open and span the group's offsets (AddOffsetsToTxn, KIP-890): else INVALID_TXN_STATE; a
//     producer that is not the transactional id's: INVALID_PRODUCER_ID_MAPPING or INVALID_PRODUCER_EPOCH.
//   - Member, instance and generation are held against the group when they are given (KIP-447).
//   - Partitions that are not there answer UNKNOWN_TOPIC_OR_PARTITION, those that the client may not read
//     TOPIC_AUTHORIZATION_FAILED; the others are stored.
//
// Versions: v2 leader epoch; v3 is flexible and has member, instance and generation; from v4 INVALID_TXN_STATE is
// TRANSACTION_ABORTABLE; v5 belongs to transaction.version 2, which is not advertised.
func (h *Handlers) txnOffsetCommit(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.TxnOffsetCommitRequest)
	switch {
	case !h.may(r.Peer, acl.Write, acl.TransactionalID, req.TransactionalID):
		return txnCommitRefused(req, errTransactionalIDAuthFailed), nil
	case !h.may(r.Peer, acl.Read, acl.Group, req.Group):
		return txnCommitRefused(req, errGroupAuthorizationFailed), nil
	}
	commit := group.TxnCommitRequest{ProducerID: req.ProducerID, Epoch: req.ProducerEpoch}
	commit.Group, commit.Member, commit.Instance = group.ID(req.Group), group.MemberID(req.MemberID), instance(req.InstanceID)
	commit.Generation = group.Generation(req.Generation)
	if req.Version < 3 {
		commit.Generation, commit.Member = -1, ""
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			commit.Offsets = append(commit.Offsets, h.txnCommitOf(r, req, t.Topic, p))
		}
	}
	leave, err := h.cfg.Txns.Enter(req.TransactionalID, req.ProducerID, req.ProducerEpoch, offsetsPartition.Topic, offsetsPartition.Index)
	if err != nil {
		code := txnCode(err)
		if code == errInvalidTxnState && req.Version >= 4 {
			code = errTransactionAbortable
		}
		return txnCommitAnswer(req, func(i int) int16 { return cmp.Or(txnCommitCode(commit.Offsets[i].Err), code) }), nil
	}
	pending := h.cfg.Groups.TxnCommit(commit)
	leave() // it is in the log
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		offsets := pending.Wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return txnCommitAnswer(req, func(i int) int16 { return txnCommitCode(offsets[i].Err) }), nil
	}}, nil
}

// txnCommitCode is the wire's code for what became of one partition.
func txnCommitCode(err error) int16 {
	var c *codedError
	if errors.As(err, &c) {
		return c.code
	}
	return groupCode(err)
}

// txnCommitOf is one partition of the request.
func (h *Handlers) txnCommitOf(r *Request, req *kmsg.TxnOffsetCommitRequest, topic string, p kmsg.TxnOffsetCommitRequestTopicPartition) group.Commit {
	c := group.Commit{Partition: group.Partition{Topic: topic, Index: p.Partition}, Offset: record.Offset(p.Offset),
		LeaderEpoch: -1, Metadata: text(p.Metadata)}
	if req.Version >= 2 {
		c.LeaderEpoch = p.LeaderEpoch
	}
	if !h.may(r.Peer, acl.Read, acl.Topic, topic) {
		c.Err = coded(errTopicAuthorizationFailed, "")
	} else if t := h.cfg.Topics.Get(topic); t == nil || t.Partition(p.Partition) == nil {
		c.Err = errNoSuchPartition
	}
	return c
}

// txnCommitRefused answers one code for every partition.
func txnCommitRefused(req *kmsg.TxnOffsetCommitRequest, code int16) kmsg.Response {
	return txnCommitAnswer(req, func(int) int16 { return code })
}

// txnCommitAnswer is the response that gives each partition, counted over all topics, its code.
func txnCommitAnswer(req *kmsg.TxnOffsetCommitRequest, code func(i int) int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	n := 0
	for _, t := range req.Topics {
		topic := kmsg.NewTxnOffsetCommitResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, code(n)
			n++
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
