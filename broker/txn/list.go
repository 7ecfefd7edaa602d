package txn

import (
	"cmp"
	"slices"
	"time"
)

// Description is what is known of one transactional id.
type Description struct {
	ID         ID
	State      State
	Producer   Producer
	Timeout    time.Duration
	Started    int64       // ms since 1970, of the current or last transaction; -1: none since the producer came
	Partitions []Partition // of the current transaction, ordered
}

// Describe tells of one id; ErrNotFound when there is none.
func (c *Coordinator) Describe(id ID) (Description, error) {
	if id == "" {
		return Description{}, ErrInvalidID
	}
	t := c.acquire(id, false)
	if t == nil {
		return Description{}, ErrNotFound
	}
	defer t.mu.Unlock()
	d := t.describe()
	if d.Producer == nobody {
		return Description{}, ErrNotFound
	}
	d.Partitions = slices.SortedFunc(slices.Values(t.names()), comparePartitions)
	return d, nil
}

// List tells of all ids that keep picks, ordered, without their partitions.
func (c *Coordinator) List(keep func(Description) bool) []Description {
	var list []Description
	for _, t := range c.all() {
		t.mu.Lock()
		d := t.describe()
		t.mu.Unlock()
		if d.State != Dead && d.Producer != nobody && keep(d) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b Description) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (t *transaction) describe() Description {
	return Description{ID: t.id, State: t.state, Producer: t.producer, Timeout: t.timeout, Started: t.started}
}
