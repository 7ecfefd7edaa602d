package group

import (
	"reflect"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/group/assign"
	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRecordsAreKafkasOwn(t *testing.T) {
	var key kmsg.OffsetCommitKey
	if err := key.ReadFrom(offsetKey("g", Partition{"t", 3})); err != nil || key.Version != 1 || key.Group != "g" || key.Topic != "t" || key.Partition != 3 {
		t.Fatalf("offset key %+v, %v", key, err)
	}
	at := time.UnixMilli(1_700_000_000_000)
	var v kmsg.OffsetCommitValue
	if err := v.ReadFrom(offsetValue(Committed{Offset: 9, LeaderEpoch: 2, Metadata: "m", Time: at})); err != nil ||
		v.Version != 3 || v.Offset != 9 || v.LeaderEpoch != 2 || v.Metadata != "m" || v.CommitTimestamp != at.UnixMilli() {
		t.Fatalf("offset value %+v, %v", v, err)
	}
	if err := v.ReadFrom(offsetValue(Committed{Offset: 9, Time: at, Expire: at.Add(time.Hour)})); err != nil ||
		v.Version != 1 || v.ExpireTimestamp != at.Add(time.Hour).UnixMilli() {
		t.Fatalf("offset value with an end %+v, %v", v, err)
	}
	var g kmsg.GroupMetadataKey
	if err := g.ReadFrom(metadataKey("g")); err != nil || g.Version != 2 || g.Group != "g" {
		t.Fatalf("group key %+v, %v", g, err)
	}
}

func FuzzReadingARecord(f *testing.F) {
	at := Partition{"t", 1}
	f.Add(offsetKey("g", at), offsetValue(Committed{Offset: 1, Time: time.UnixMilli(1)}), true, int16(0))
	f.Add(offsetKey("g", at), offsetValue(Committed{Offset: 1, Time: time.UnixMilli(1), Expire: time.UnixMilli(2)}), true, int16(0))
	f.Add(offsetKey("g", at), []byte{}, false, int16(0))
	f.Add(metadataKey("g"), (&kmsg.GroupMetadataValue{Version: 3, ProtocolType: "consumer", Generation: 3, Protocol: kmsg.StringPtr("range"),
		Leader: kmsg.StringPtr("x"), Members: []kmsg.GroupMetadataValueMember{{MemberID: "x", InstanceID: kmsg.StringPtr("i"), Subscription: []byte{0, 1}}}}).AppendTo(nil), true, int16(0))
	f.Add(metadataKey("g"), []byte{0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, true, int16(0))
	f.Add(metadataKey("g"), []byte{}, false, int16(0))
	f.Add([]byte{0, 3}, []byte{1}, true, int16(0))
	f.Add(offsetKey("g", at), offsetValue(Committed{Offset: 1, Time: time.UnixMilli(1)}), true, int16(1<<4))
	f.Add(offsetKey("g", at), []byte{}, false, int16(1<<4))
	rack := "r"
	m := &consumer{id: "m", instance: "i", rack: &rack, topics: []string{"t"}, pattern: "t.*", rebalance: time.Second, assigner: "range", epoch: 3,
		previous: 2, progress: revoking, assigned: map[Slot]Epoch{{Partition: 1}: 2}, unrevoked: map[Slot]Epoch{{Topic: TopicID{1}}: 1}, target: assign.Set{{Partition: 2}: {}}}
	r := &roster{epoch: 3, targetEpoch: 2, seen: 7}
	f.Add(consumerKey(kindEpoch, "g", ""), epochValue(r), true, int16(0))
	f.Add(consumerKey(kindAim, "g", ""), aimValue(r), true, int16(0))
	f.Add(consumerKey(kindMember, "g", "m"), memberValue(m), true, int16(0))
	f.Add(consumerKey(kindTarget, "g", "m"), targetValue(m.target), true, int16(0))
	f.Add(consumerKey(kindCurrent, "g", "m"), currentValue(m), true, int16(0))
	f.Add(consumerKey(kindPattern, "g", "t.*"), patternValue(&pattern{topics: map[string]bool{"t": true}}), true, int16(0))
	f.Add(consumerKey(kindMember, "g", "m"), []byte{0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7}, true, int16(0))
	f.Add(consumerKey(kindCurrent, "g", "m"), []byte{0, 1}, true, int16(0))
	f.Add(consumerKey(kindMember, "g", "m"), []byte{}, false, int16(0))
	f.Fuzz(func(t *testing.T, key, value []byte, present bool, attributes int16) {
		c, err := New(Config{}, &memLog{})
		if err != nil {
			t.Fatal(err)
		}
		if !present {
			value = nil
		}
		for range 2 { // the second time it finds what the first has left
			if err := c.read(record.Header{ProducerID: 7, Attributes: attributes & (1 << 4)}, &record.Record{Key: key, Value: value}); err != nil {
				continue
			}
		}
		marker := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeCommit}
		if err := c.readMarker(record.Header{ProducerID: 7}, &record.Record{Key: marker.AppendTo(nil)}); err != nil || len(c.txns.byProducer) > 0 {
			t.Fatalf("a marker leaves %d transactions, %v", len(c.txns.byProducer), err)
		}
		_ = c.readMarker(record.Header{ProducerID: 7}, &record.Record{Key: key}) // must not stop anything
		for _, g := range c.all() {
			g.wakeUp(c)
			if g.roster != nil {
				g.rosterEntries()
				continue
			}
			if g.encode(nil, time.Now()) == nil || c.use.offsets.Load() < 0 || c.use.members.Load() < 0 {
				t.Fatalf("group %q is not as it should be", g.id)
			}
		}
	})
}

func TestAConsumerIsReadAsItWasWritten(t *testing.T) {
	rack := ""
	m := &consumer{id: "m", instance: "i", rack: &rack, clientID: "c", host: "/h", topics: []string{"t", "u"}, pattern: "t.*", rebalance: time.Second,
		assigner: "range", stored: true, epoch: 3, previous: 2, progress: revoking, assigned: map[Slot]Epoch{{Partition: 1}: 2, {Topic: TopicID{9}, Partition: 4}: 3},
		unrevoked: map[Slot]Epoch{{Topic: TopicID{1}}: 1}, target: assign.Set{{Partition: 2}: {}, {Topic: TopicID{3}}: {}}}
	c, err := New(Config{}, &memLog{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []statelog.Entry{
		entry(consumerKey(kindEpoch, "g", ""), epochValue(&roster{epoch: 5, seen: -7})),
		entry(consumerKey(kindAim, "g", ""), aimValue(&roster{targetEpoch: 4})),
		entry(consumerKey(kindMember, "g", "m"), memberValue(m)),
		entry(consumerKey(kindTarget, "g", "m"), targetValue(m.target)),
		entry(consumerKey(kindCurrent, "g", "m"), currentValue(m)),
		entry(consumerKey(kindPattern, "g", "t.*"), patternValue(&pattern{topics: map[string]bool{"t": true}})),
	} {
		if err := c.read(record.Header{}, &record.Record{Key: e.Key, Value: e.Value}); err != nil {
			t.Fatalf("key %x: %v", e.Key, err)
		}
	}
	r := c.mu.groups["g"].roster
	if r.epoch != 5 || r.targetEpoch != 4 || r.seen != -7 || !r.patterns["t.*"].topics["t"] {
		t.Errorf("the group is read as %+v", r)
	}
	if got := r.consumers["m"]; !reflect.DeepEqual(got, m) {
		t.Errorf("read  %+v\nwrote %+v", got, m)
	}
}
