package group

import (
	"testing"
	"time"

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
	f.Add(offsetKey("g", at), offsetValue(Committed{Offset: 1, Time: time.UnixMilli(1)}), true)
	f.Add(offsetKey("g", at), offsetValue(Committed{Offset: 1, Time: time.UnixMilli(1), Expire: time.UnixMilli(2)}), true)
	f.Add(offsetKey("g", at), []byte{}, false)
	f.Add(metadataKey("g"), (&kmsg.GroupMetadataValue{Version: 3, ProtocolType: "consumer", Generation: 3, Protocol: kmsg.StringPtr("range"),
		Leader: kmsg.StringPtr("x"), Members: []kmsg.GroupMetadataValueMember{{MemberID: "x", InstanceID: kmsg.StringPtr("i"), Subscription: []byte{0, 1}}}}).AppendTo(nil), true)
	f.Add(metadataKey("g"), []byte{0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, true)
	f.Add(metadataKey("g"), []byte{}, false)
	f.Add([]byte{0, 3}, []byte{1}, true)
	f.Fuzz(func(t *testing.T, key, value []byte, present bool) {
		c, err := New(Config{}, &memLog{})
		if err != nil {
			t.Fatal(err)
		}
		if !present {
			value = nil
		}
		for range 2 { // the second time it finds what the first has left
			if err := c.read(&record.Record{Key: key, Value: value}); err != nil {
				continue
			}
		}
		for _, g := range c.all() {
			g.wakeUp(c)
			if g.encode(nil, time.Now()) == nil || c.use.offsets.Load() < 0 || c.use.members.Load() < 0 {
				t.Fatalf("group %q is not as it should be", g.id)
			}
		}
	})
}
