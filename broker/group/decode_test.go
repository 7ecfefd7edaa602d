package group

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What Kafka's own encoder writes in each version is read as its own decoder reads it.
func TestStoredValuesAreReadInEveryVersion(t *testing.T) {
	for version := range int16(5) {
		offset := kmsg.OffsetCommitValue{Version: version, Offset: 9, LeaderEpoch: 2, Metadata: "m", CommitTimestamp: 5, ExpireTimestamp: 6}
		var want kmsg.OffsetCommitValue
		if err := want.ReadFrom(offset.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if got, err := readOffsetValue(offset.AppendTo(nil)); err != nil || got.Offset != 9 || got.LeaderEpoch != want.LeaderEpoch || got.Metadata != "m" ||
			got.CommitTimestamp != 5 || got.ExpireTimestamp != want.ExpireTimestamp || got.Version != version {
			t.Errorf("version %d: read %+v, %v, want %+v", version, got, err, want)
		}
		group := kmsg.GroupMetadataValue{Version: version, ProtocolType: "consumer", Generation: 3, Protocol: kmsg.StringPtr("range"), Leader: kmsg.StringPtr("x"),
			CurrentStateTimestamp: 77, Members: []kmsg.GroupMetadataValueMember{
				{MemberID: "x", InstanceID: kmsg.StringPtr("i"), ClientID: "c", ClientHost: "/h", RebalanceTimeoutMillis: 1, SessionTimeoutMillis: 2, Subscription: []byte{0, 1}, Assignment: []byte{9}},
				{MemberID: "y"}}}
		raw := group.AppendTo(nil)
		var all kmsg.GroupMetadataValue
		if err := all.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		got, err := readGroupValue(raw)
		for i := range got.Members { // nothing and nil are the same in the older versions
			if len(got.Members[i].Subscription) == 0 {
				got.Members[i].Subscription = all.Members[i].Subscription
			}
			if len(got.Members[i].Assignment) == 0 {
				got.Members[i].Assignment = all.Members[i].Assignment
			}
		}
		if err != nil || !reflect.DeepEqual(got, all) {
			t.Errorf("version %d: read %+v, %v, want %+v", version, got, err, all)
		}
		for cut := range raw {
			if _, err := readGroupValue(raw[:cut]); err == nil {
				t.Errorf("version %d: %d of %d bytes are read as a group", version, cut, len(raw))
			}
		}
	}
}

// A few bytes that announce 4 billion tags or members cost neither time nor memory: kmsg would take minutes.
func TestAFewBytesCannotAnnounceBillions(t *testing.T) {
	many := []byte{0xff, 0xff, 0xff, 0xff, 7}
	offset := (&kmsg.OffsetCommitValue{Version: 4}).AppendTo(nil)
	offset = append(offset[:len(offset)-1], many...)
	group := (&kmsg.GroupMetadataValue{Version: 4}).AppendTo(nil)
	tags := append(group[:len(group)-1:len(group)-1], many...)
	members := append(group[:len(group)-2:len(group)-2], many...)
	old := (&kmsg.GroupMetadataValue{Version: 3}).AppendTo(nil)
	old = append(binary.BigEndian.AppendUint32(old[:len(old)-4:len(old)-4], 1<<20), make([]byte, 1<<20)...)
	c, err := New(Config{}, &memLog{})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]record.Record{
		"tags of an offset": {Key: offsetKey("g", Partition{"t", 0}), Value: offset},
		"tags of a group":   {Key: metadataKey("g"), Value: tags},
		"members":           {Key: metadataKey("g"), Value: members},
		"members of old":    {Key: metadataKey("g"), Value: old},
	} {
		if err := c.read(record.Header{}, &r); err == nil {
			t.Errorf("%s: it is read as if it made sense", name)
		}
	}
	if len(c.mu.groups) > 0 {
		t.Errorf("%d groups were made of it", len(c.mu.groups))
	}
}

// Whatever Kafka stores, with tags that are not known here among it, is read as its own decoder reads it.
func FuzzStoredValuesAreReadAsKmsgReadsThem(f *testing.F) {
	for version := range int16(6) {
		f.Add(version, uint8(version), "consumer", "", []byte("subscribed"), int64(version)<<33, true)
		f.Add(version, uint8(9), "", "a member", []byte{}, int64(-1), false)
	}
	f.Fuzz(func(t *testing.T, version int16, members uint8, some, other string, data []byte, n int64, tagged bool) {
		if version < 0 || len(some) > 1<<14 || len(other) > 1<<14 {
			return
		}
		tag := func(tags *kmsg.Tags) {
			if tagged {
				tags.Set(uint32(n)&0xffff|1<<8, data) // lower ones are known
			}
		}
		offset := kmsg.OffsetCommitValue{Version: version, Offset: n, LeaderEpoch: int32(n >> 7), Metadata: some, CommitTimestamp: n / 3, ExpireTimestamp: n / 5}
		tag(&offset.UnknownTags)
		raw, wantOffset := offset.AppendTo(nil), kmsg.NewOffsetCommitValue()
		if err := wantOffset.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		gotOffset, err := readOffsetValue(raw)
		wantOffset.UnknownTags, gotOffset.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
		if err != nil || !reflect.DeepEqual(gotOffset, wantOffset) {
			t.Errorf("an offset is read as %+v, %v, want %+v", gotOffset, err, wantOffset)
		}
		group := kmsg.GroupMetadataValue{Version: version, ProtocolType: some, Generation: int32(n), CurrentStateTimestamp: n}
		if n%2 == 0 {
			group.Protocol, group.Leader = &some, &other
		}
		tag(&group.UnknownTags)
		for i := range int(members % 16) {
			m := kmsg.GroupMetadataValueMember{MemberID: other, ClientID: some, ClientHost: other, RebalanceTimeoutMillis: int32(n) + int32(i),
				SessionTimeoutMillis: int32(i), Subscription: append([]byte{1}, data...), Assignment: append([]byte{2}, other...)}
			if i%2 == 0 {
				m.InstanceID = &some
			}
			tag(&m.UnknownTags)
			group.Members = append(group.Members, m)
		}
		raw = group.AppendTo(nil)
		wantGroup := kmsg.NewGroupMetadataValue()
		if err := wantGroup.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		gotGroup, err := readGroupValue(raw)
		wantGroup.UnknownTags, gotGroup.UnknownTags = kmsg.Tags{}, kmsg.Tags{}
		for i := range wantGroup.Members {
			wantGroup.Members[i].UnknownTags = kmsg.Tags{}
		}
		if len(wantGroup.Members) == 0 {
			wantGroup.Members, gotGroup.Members = nil, nil
		}
		if err != nil || !reflect.DeepEqual(gotGroup, wantGroup) {
			t.Errorf("a group is read as %+v, %v, want %+v", gotGroup, err, wantGroup)
		}
	})
}
