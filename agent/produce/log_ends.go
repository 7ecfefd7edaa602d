package produce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/record"
)

// Asked of ListOffsets in the place of a time.
const (
	atEnd   = -1
	atStart = -2
)

// offset is that of the first record from a time on (Unix ms), or of an end of the log
// as replicas have it; -1 when there is no such record. With an end comes the epoch of
// its leader, -1 when the broker does not say.
func (s logReader) offset(ctx context.Context, when int64) (at record.Offset, epoch int32, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version = 4
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = s.at.Number, when
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = s.at.Topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := s.conn.Call(ctx, req)
	if err != nil {
		return -1, -1, err
	}
	r := resp.(*kmsg.ListOffsetsResponse)
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return -1, -1, fmt.Errorf("asking for an offset in %s-%d: %w", s.at.Topic, s.at.Number, errAnswer)
	}
	a := r.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(a.ErrorCode); err != nil {
		return -1, -1, fmt.Errorf("asking for an offset in %s-%d: %w", s.at.Topic, s.at.Number, err)
	}
	return record.Offset(a.Offset), a.LeaderEpoch, nil
}

// epochsVersion is what is spoken of OffsetForLeaderEpoch: the first that DESCRIBE on the
// topic suffices for.
const epochsVersion = 2

// leaderEnd is the end of the leader's own log, which may lie above what replicas have
// and anybody can read; -1 when the broker does not say (KIP-320).
func (s logReader) leaderEnd(ctx context.Context, epoch int32) (record.Offset, error) {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.Version = epochsVersion
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = s.at.Number, -1, epoch
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic, t.Partitions = s.at.Topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := s.conn.Call(ctx, req)
	if err != nil {
		return -1, err
	}
	r := resp.(*kmsg.OffsetForLeaderEpochResponse)
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return -1, fmt.Errorf("asking for the end of the leader's log of %s-%d: %w", s.at.Topic, s.at.Number, errAnswer)
	}
	a := r.Topics[0].Partitions[0]
	if a.ErrorCode == kerr.UnsupportedVersion.Code {
		return -1, nil
	}
	if err := kerr.ErrorForCode(a.ErrorCode); err != nil {
		return -1, fmt.Errorf("asking for the end of the leader's log of %s-%d: %w", s.at.Topic, s.at.Number, err)
	}
	return record.Offset(a.EndOffset), nil
}

// replicasWait is how long replicas are waited for at a time, looked at every replicasPause.
const (
	replicasWait  = 5 * time.Second
	replicasPause = 50 * time.Millisecond
)

// errBehind says that the leader's log ends above what can be read of it.
var errBehind = errors.New("its replicas do not have all yet that its leader has")

// bounds are the first offset of the log and the one after its last. It waits until all
// that the leader has now can be read: what stands above that, a leader that has forgotten
// us says nothing of, and it would be taken for missing.
func (s logReader) bounds(ctx context.Context) (start, end record.Offset, err error) {
	start, _, err = s.offset(ctx, atStart)
	if err != nil {
		return 0, 0, err
	}
	end, epoch, err := s.offset(ctx, atEnd)
	if err != nil || epoch < 0 || !s.tips {
		return start, end, err
	}
	tip, err := s.leaderEnd(ctx, epoch)
	for began := time.Now(); err == nil && end < tip; {
		if time.Since(began) > replicasWait {
			return 0, 0, fmt.Errorf("reading %s-%d up to offset %d of %d: %w", s.at.Topic, s.at.Number, end, tip, errBehind)
		}
		if sleep(ctx, replicasPause); ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		end, _, err = s.offset(ctx, atEnd)
	}
	return start, end, err
}
