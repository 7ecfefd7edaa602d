package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Listing is one group in a list of them.
type Listing struct {
	ID           ID
	ProtocolType string
	State        State
	Consumer     bool // of the consumer protocol (KIP-848), else classic
}

// List returns all groups, ordered by id.
func (c *Coordinator) List() []Listing {
	var list []Listing
	for _, g := range c.all() {
		g.mu.Lock()
		if g.state != Dead {
			list = append(list, Listing{g.id, g.protocolType, g.state, g.roster != nil})
		}
		g.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b Listing) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list
}

// Description is one group with its members. Metadata and assignments are there only while it is Stable
// and must not be changed.
type Description struct {
	ID           ID
	State        State
	ProtocolType string
	Protocol     string
	Members      []MemberDescription
}

// MemberDescription is one member of a described group.
type MemberDescription struct {
	ID         MemberID
	Instance   InstanceID
	ClientID   string
	Host       string
	Metadata   []byte
	Assignment []byte
}

// Describe returns one group of the classic protocol, or ErrNotFound.
func (c *Coordinator) Describe(id ID) (Description, error) {
	if !storableID(id) {
		return Description{}, ErrInvalidGroup
	}
	g := c.acquire(id, false)
	if g == nil {
		return Description{}, fmt.Errorf("%w: Group %s not found.", ErrNotFound, id)
	}
	defer c.release(g)
	if g.roster != nil {
		return Description{}, fmt.Errorf("%w: Group %s is not a classic group.", ErrNotFound, id)
	}
	d := Description{ID: g.id, State: g.state, ProtocolType: g.protocolType}
	for _, m := range g.inOrder() {
		md := MemberDescription{ID: m.id, Instance: m.instance, ClientID: m.clientID, Host: m.host}
		if g.state == Stable {
			md.Metadata, _ = m.metadata(g.protocol)
			md.Assignment = m.assignment
		}
		d.Members = append(d.Members, md)
	}
	if g.state == Stable {
		d.Protocol = g.protocol
	}
	return d, nil
}

// PendingDelete is the deletion of one group, which waits for the disk.
type PendingDelete struct {
	err  error
	done chan error // nil: err is the answer
}

// Delete removes a group that has no members, with its offsets. Wait, which must follow, says whether
// that is so for good.
func (c *Coordinator) Delete(id ID) *PendingDelete {
	if !storableID(id) {
		return &PendingDelete{err: ErrInvalidGroup}
	}
	g := c.acquire(id, false)
	if g == nil {
		return &PendingDelete{err: ErrNotFound}
	}
	defer c.release(g)
	if g.state != Empty || len(g.given) > 0 {
		return &PendingDelete{err: ErrNonEmpty}
	}
	var gone []Partition
	for at := range g.offsets {
		gone = append(gone, at)
	}
	done := make(chan error, 1)
	if err := g.erase(gone, true, func(err error) { done <- err }); err != nil {
		return &PendingDelete{err: err}
	}
	return &PendingDelete{done: done}
}

// Wait returns when the deletion is durable, or with the reason why not, or when ctx ends.
func (p *PendingDelete) Wait(ctx context.Context) error {
	if p.done == nil {
		return p.err
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// DropTopic forgets what all groups have committed for a topic that was deleted, so that a new topic of
// the same name begins without it. It does not wait for the disk.
func (c *Coordinator) DropTopic(topic string) error {
	for _, g := range c.all() {
		if err := c.dropTopic(g, topic); err != nil {
			return err
		}
	}
	return nil
}

func (c *Coordinator) dropTopic(g *group, topic string) error {
	g.mu.Lock()
	defer c.release(g)
	var gone []Partition
	for at := range g.offsets {
		if at.Topic == topic {
			gone = append(gone, at)
		}
	}
	return g.erase(gone, false, nil)
}
