package group

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// MemberID names one member of a group, given by the coordinator: "<client id>-<uuid>".
type MemberID string

// InstanceID is a member's own lasting name, its group.instance.id (KIP-345); empty for ordinary members.
type InstanceID string

// Protocol is one way of assigning that a member offers, with what it tells the leader for it.
type Protocol struct {
	Name     string // "range", "roundrobin", "cooperative-sticky"
	Metadata []byte // opaque here, but see group.readTopics
}

// member is one member of a group, guarded by the group's lock.
type member struct {
	id         MemberID
	instance   InstanceID
	clientID   string
	host       string
	session    time.Duration
	rebalance  time.Duration
	protocols  []Protocol // in the member's order of preference
	assignment []byte
	arrival    uint64

	deadline time.Time       // of its session; does not count while it waits for an answer
	join     chan joinAnswer // its JoinGroup waits; buffered for one answer
	sync     chan syncAnswer // its SyncGroup waits; buffered for one answer
	bytes    int64           // counted in usage
}

// waits says whether a request of the member waits here, so that no heartbeat can be expected.
func (m *member) waits() bool { return m.join != nil || m.sync != nil }

// metadata is what the member tells for one protocol.
func (m *member) metadata(protocol string) ([]byte, bool) {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata, true
		}
	}
	return nil, false
}

// offers says whether the member already offers exactly these protocols.
func (m *member) offers(protocols []Protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// size is what the member holds in memory, roughly, in bytes.
func (m *member) size() int64 {
	n := 256 + len(m.id) + len(m.instance) + len(m.clientID) + len(m.host) + len(m.assignment)
	for _, p := range m.protocols {
		n += 48 + len(p.Name) + len(p.Metadata)
	}
	return int64(n)
}

// newMemberID makes an id that nobody has: a random UUID after the member's own name.
func newMemberID(clientID string, instance InstanceID) MemberID {
	name := clientID
	if instance != "" {
		name = string(instance)
	}
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return MemberID(fmt.Sprintf("%s-%x-%x-%x-%x-%x", name, u[:4], u[4:6], u[6:8], u[8:10], u[10:]))
}

// usage counts what all groups hold in memory, in bytes.
type usage struct {
	members, offsets atomic.Int64
}
