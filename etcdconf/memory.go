package etcdconf

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Memory is the twin of etcd that lives in this process: a Source for tests and for measurements that want no etcd.
// It is safe for concurrent use.
type Memory struct {
	kind Kind
	mu   struct {
		sync.Mutex
		values   map[string]Value
		revision Revision
		changed  chan struct{} // closed and replaced at every change
	}
}

// NewMemory returns an empty source of values of this kind.
func NewMemory(kind Kind) *Memory {
	m := &Memory{kind: kind}
	m.mu.values, m.mu.changed = map[string]Value{}, make(chan struct{})
	return m
}

// Put stores a value as it is and returns its revision.
func (m *Memory) Put(name, data string) Revision {
	return m.change(func(at Revision) {
		m.mu.values[name] = Value{Name: name, Key: m.kind.Key(name), Revision: at, Data: []byte(data)}
	})
}

// Delete removes a value, if it is there, and returns the revision that did.
func (m *Memory) Delete(name string) Revision {
	return m.change(func(Revision) { delete(m.mu.values, name) })
}

func (m *Memory) change(f func(at Revision)) Revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.revision++
	f(m.mu.revision)
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
	return m.mu.revision
}

// Watch keeps the promise of Source.
func (m *Memory) Watch(ctx context.Context, apply func(values []Value)) error {
	for ctx.Err() == nil {
		m.mu.Lock()
		values, changed := slices.Collect(maps.Values(m.mu.values)), m.mu.changed
		m.mu.Unlock()
		sortValues(values)
		apply(values)
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return nil
}
