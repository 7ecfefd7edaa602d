package group

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is stored is Kafka's own, each record's key beginning with its version:
//
//	key  i16 1 │ group │ topic │ partition i32   value  i16 3 │ offset i64 │ leader epoch i32 │ metadata │ time i64
//	           │                                 value  i16 1 │ offset i64 │ metadata │ time i64 │ expire i64
//	key  i16 2 │ group                           value  i16 3 │ type │ generation i32 │ protocol │ leader │ since i64 │ members
//
// Strings have an i16 length. A null value deletes the key. Offsets with a time of their own to expire
// are stored in version 1, as Kafka does. Older and newer versions are read too; other keys are passed over.

// offsetKey is the key of a committed offset.
func offsetKey(id ID, at Partition) []byte {
	k := kmsg.OffsetCommitKey{Version: 1, Group: string(id), Topic: at.Topic, Partition: at.Index}
	return k.AppendTo(nil)
}

func offsetValue(c Committed) []byte {
	v := kmsg.OffsetCommitValue{Version: 3, Offset: int64(c.Offset), LeaderEpoch: c.LeaderEpoch,
		Metadata: c.Metadata, CommitTimestamp: c.Time.UnixMilli()}
	if !c.Expire.IsZero() {
		v.Version, v.ExpireTimestamp = 1, c.Expire.UnixMilli()
	}
	return v.AppendTo(nil)
}

// metadataKey is the key of a group's own record.
func metadataKey(id ID) []byte {
	k := kmsg.GroupMetadataKey{Version: 2, Group: string(id)}
	return k.AppendTo(nil)
}

// encode is the group's own record value; nil shares stand for the assignments that hold.
func (g *group) encode(shares map[MemberID][]byte, now time.Time) []byte {
	v := kmsg.GroupMetadataValue{Version: 3, ProtocolType: g.protocolType, Generation: int32(g.generation),
		CurrentStateTimestamp: now.UnixMilli()}
	if g.protocol != "" {
		v.Protocol = &g.protocol
	}
	if leader := string(g.leader); leader != "" {
		v.Leader = &leader
	}
	for _, m := range g.inOrder() {
		metadata, _ := m.metadata(g.protocol)
		share := m.assignment
		if shares != nil {
			share = shares[m.id]
		}
		stored := kmsg.GroupMetadataValueMember{MemberID: string(m.id), ClientID: m.clientID, ClientHost: m.host,
			RebalanceTimeoutMillis: int32(m.rebalance.Milliseconds()), SessionTimeoutMillis: int32(m.session.Milliseconds()),
			Subscription: metadata, Assignment: share}
		if instance := string(m.instance); instance != "" {
			stored.InstanceID = &instance
		}
		v.Members = append(v.Members, stored)
	}
	return v.AppendTo(nil)
}

// read applies one record of the log, of a batch with that header, to the groups that are being loaded.
func (c *Coordinator) read(h record.Header, rec *record.Record) error {
	if h.Control() {
		return c.readMarker(h, rec)
	}
	if len(rec.Key) < 2 {
		return fmt.Errorf("key of %d bytes", len(rec.Key))
	}
	switch version := int16(binary.BigEndian.Uint16(rec.Key)); version {
	case 0, 1:
		return c.readOffset(h, rec)
	case 2:
		return c.readMetadata(rec)
	case kindEpoch, kindMember, kindAim, kindTarget, kindCurrent, kindPattern:
		return c.readConsumer(rec)
	default:
		return nil // of a kind that is not ours
	}
}

func (c *Coordinator) readOffset(h record.Header, rec *record.Record) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(rec.Key); err != nil {
		return fmt.Errorf("reading an offset's key: %w", err)
	}
	at := Partition{k.Topic, k.Partition}
	if rec.Value == nil {
		if g := c.mu.groups[ID(k.Group)]; g != nil && g.offsets[at] != nil {
			g.forgetOffset(at)
		}
		return nil
	}
	v, err := readOffsetValue(rec.Value)
	if err != nil {
		return fmt.Errorf("reading an offset of group %q: %w", k.Group, err)
	}
	got := Committed{Offset: record.Offset(v.Offset), LeaderEpoch: v.LeaderEpoch, Metadata: v.Metadata,
		Time: time.UnixMilli(v.CommitTimestamp), log: rec.Offset}
	if v.Version < 3 {
		got.LeaderEpoch = -1
	}
	if v.Version == 1 && v.ExpireTimestamp >= 0 {
		got.Expire = time.UnixMilli(v.ExpireTimestamp)
	}
	g := c.loaded(ID(k.Group))
	p := g.offsets[at]
	if p == nil {
		p = &offset{}
		g.offsets[at] = p
	}
	if h.Transactional() {
		c.reopen(g, h, move{at, p, got})
		return nil
	}
	if p.known && p.now.again(got) {
		return nil
	}
	p.move(got)
	g.measure(at, p)
	return nil
}

// reopen takes up a transaction's commit that was read from the log.
func (c *Coordinator) reopen(g *group, h record.Header, m move) {
	t := g.txns[h.ProducerID]
	if t == nil {
		t = &openTxn{offsets: map[Partition]Committed{}}
	}
	t.producer = record.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch, Sequence: -1}
	c.txns.add(g, t)
	if was, ok := t.offsets[m.at]; ok && was.again(m.to) {
		return
	}
	g.pend(t, m)
}

// readMarker ends the transactions of a producer as a control record of the log says.
func (c *Coordinator) readMarker(h record.Header, rec *record.Record) error {
	var k kmsg.ControlRecordKey
	if err := k.ReadFrom(rec.Key); err != nil {
		return fmt.Errorf("reading a marker's key: %w", err)
	}
	if k.Type != kmsg.ControlRecordKeyTypeAbort && k.Type != kmsg.ControlRecordKeyTypeCommit {
		return nil // not about transactions
	}
	for g, t := range c.txns.byProducer[h.ProducerID] {
		t.commit = k.Type == kmsg.ControlRecordKeyTypeCommit
		g.endTxn(t)
	}
	return nil
}

func (c *Coordinator) readMetadata(rec *record.Record) error {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(rec.Key); err != nil {
		return fmt.Errorf("reading a group's key: %w", err)
	}
	if rec.Value == nil {
		if g := c.mu.groups[ID(k.Group)]; g != nil {
			g.restore(kmsg.GroupMetadataValue{}, nil)
		}
		return nil
	}
	v, err := readGroupValue(rec.Value)
	if err != nil {
		return fmt.Errorf("reading group %q: %w", k.Group, err)
	}
	c.loaded(ID(k.Group)).restore(v, rec.Value)
	return nil
}
