package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The values of a foreign folder are read here and not by kmsg, which allocates members by their announced number, a
// hundred times what their bytes hold, and counts as many tags as five bytes say.

// minMember is the fewest bytes that a stored member takes.
const minMember = 12

// readOffsetValue reads a committed offset in any version; those above 4 are read as 4.
func readOffsetValue(b []byte) (v kmsg.OffsetCommitValue, err error) {
	v = kmsg.NewOffsetCommitValue()
	d := decoder{b: b}
	v.Version = d.anyVersion()
	flexible := v.Version >= 4
	v.Offset = d.i64()
	if v.Version >= 3 {
		v.LeaderEpoch = d.i32()
	}
	v.Metadata, _ = d.text(flexible)
	v.CommitTimestamp = d.i64()
	if v.Version == 1 {
		v.ExpireTimestamp = d.i64()
	}
	if flexible {
		d.tags(nil)
	}
	return v, d.err
}

// readGroupValue reads a group in any version; those above 4 are read as 4.
func readGroupValue(b []byte) (v kmsg.GroupMetadataValue, err error) {
	v = kmsg.NewGroupMetadataValue()
	d := decoder{b: b}
	v.Version = d.anyVersion()
	flexible := v.Version >= 4
	v.ProtocolType, _ = d.text(flexible)
	v.Generation = d.i32()
	v.Protocol = d.pointer(flexible)
	v.Leader = d.pointer(flexible)
	if v.Version >= 2 {
		v.CurrentStateTimestamp = d.i64()
	}
	n := 0
	if flexible {
		n = d.count(minMember)
	} else if n = int(d.i32()); n > len(d.b)/minMember {
		return v, errShort
	}
	for range n {
		if d.err != nil {
			break
		}
		v.Members = append(v.Members, d.member(v.Version))
	}
	if flexible {
		d.tags(nil)
	}
	return v, d.err
}

// member reads one member of a group.
func (d *decoder) member(version int16) kmsg.GroupMetadataValueMember {
	m, flexible := kmsg.NewGroupMetadataValueMember(), version >= 4
	m.MemberID, _ = d.text(flexible)
	if version >= 3 {
		m.InstanceID = d.pointer(flexible)
	}
	m.ClientID, _ = d.text(flexible)
	m.ClientHost, _ = d.text(flexible)
	if version >= 1 {
		m.RebalanceTimeoutMillis = d.i32()
	}
	m.SessionTimeoutMillis = d.i32()
	m.Subscription = d.bytes(flexible)
	m.Assignment = d.bytes(flexible)
	if flexible {
		d.tags(nil)
	}
	return m
}

// anyVersion reads a version that may be newer than all that is known.
func (d *decoder) anyVersion() int16 {
	v := int16(d.u16())
	if v < 0 && d.err == nil {
		d.b, d.err = nil, fmt.Errorf("version %d is not known", v)
	}
	return v
}

// text reads a string, which may be absent.
func (d *decoder) text(flexible bool) (s string, present bool) {
	if flexible {
		return d.nullable()
	}
	n := int16(d.u16())
	if n < 0 {
		return "", false
	}
	return string(d.take(int(n))), d.err == nil
}

// pointer is text as kmsg has it: nil when absent.
func (d *decoder) pointer(flexible bool) *string {
	if s, present := d.text(flexible); present {
		return &s
	}
	return nil
}

// bytes reads bytes, which are the record's own and may be absent.
func (d *decoder) bytes(flexible bool) []byte {
	n := 0
	if flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.i32())
	}
	if n < 0 {
		return nil
	}
	return d.take(n)
}
