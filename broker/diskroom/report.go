package diskroom

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// mostDropped bounds the topics that are counted one by one.
const mostDropped = 1000

// Dropped is what a topic has lost for room since the start.
type Dropped struct {
	Topic   string `json:"topic"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
}

// State is how the disk stands.
type State struct {
	Used    int64     `json:"used"`   // by all logs with their indexes and small files, in bytes
	Dir     string    `json:"folder"` // where they lie
	Budget  int64     `json:"budget"` // 0: none
	Reserve int64     `json:"reserve"`
	Size    int64     `json:"size"` // of the disk; -1: not known
	Free    int64     `json:"free"`
	OnFull  OnFull    `json:"on_full"`
	Full    bool      `json:"full"` // the disk, whatever the budget
	Why     string    `json:"why,omitempty"`
	Blocked []Blocker `json:"blocked"` // who keeps clients waiting now
	Dropped []Dropped `json:"dropped"`
	Refused int64     `json:"refused_batches"`
	Lost    any       `json:"lost,omitempty"`
	Damaged any       `json:"damaged,omitempty"`
	Holes   any       `json:"unreadable,omitempty"`
}

// State is the state of this moment.
func (r *Room) State() State {
	s := State{Used: r.Used(), Dir: r.cfg.Dir, Budget: r.cfg.Budget, Reserve: r.marks.budget - r.marks.limit, OnFull: r.cfg.OnFull,
		Full: r.full.Load() != nil, Blocked: []Blocker{}, Refused: r.refused.Load()}
	s.Size, s.Free = r.cfg.Space(r.cfg.Dir)
	s.Why, _ = r.Blocked()
	if w := r.wall.Load(); w != nil {
		s.Blocked = append(s.Blocked, w.by...)
	}
	r.mu.Lock()
	s.Dropped = slices.SortedFunc(maps.Values(r.mu.dropped), func(a, b Dropped) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Topic, b.Topic))
	})
	r.mu.Unlock()
	if s.Dropped == nil {
		s.Dropped = []Dropped{}
	}
	if r.cfg.Lost != nil {
		s.Lost = r.cfg.Lost()
	}
	if r.cfg.Damaged != nil {
		s.Damaged = r.cfg.Damaged()
	}
	if r.cfg.Holes != nil {
		s.Holes = r.cfg.Holes()
	}
	return s
}

// Report is the state as JSON, for those who ask over the Kafka protocol. While clients are refused it waits a moment
// for the reason of this moment.
func (r *Room) Report(ctx context.Context) string {
	r.fresh(ctx)
	b, err := json.Marshal(r.State())
	if err != nil {
		return "{}" // what Lost gives is made of plain values
	}
	return string(b)
}
