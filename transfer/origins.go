package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/durable"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/worker"
)

// Start is where a partition without a commit begins: at its first record. What `start: end` means to skip has been
// committed when the sink was first applied; everything later is new.
func (r *route) Start(ctx context.Context, topic string, partition int32) (record.Offset, error) {
	return r.Earliest(ctx, topic, partition)
}

// Earliest is the first record that the topic holds.
func (r *route) Earliest(ctx context.Context, topic string, partition int32) (record.Offset, error) {
	return r.env.cluster.offset(ctx, topic, partition, sarama.OffsetOldest)
}

// firstApplied commits the ends of the partitions that exist when a sink with `start: end` is applied for the first
// time, before anybody joins. A group that has commits, or members, was applied before.
func (r *route) firstApplied(ctx context.Context, found map[string]topic) error {
	key := r.value.Name + " " + r.value.Group
	if r.value.Start != etcdconf.StartEnd || r.env.applied.has(key) {
		return nil
	}
	if err := r.skipToEnds(ctx, found); err != nil {
		return fmt.Errorf("starting group %s at the end: %w", r.value.Group, err)
	}
	return r.env.applied.add(key)
}

func (r *route) skipToEnds(ctx context.Context, found map[string]topic) error {
	known, err := r.coord.fetch(ctx, nil)
	if err != nil || len(known) > 0 {
		return err
	}
	ends := map[place]worker.Commit{}
	for name, t := range found {
		for p := range int32(t.partitions) {
			end, err := r.env.cluster.offset(ctx, name, p, sarama.OffsetNewest)
			if err != nil {
				return err
			}
			ends[place{name, p}] = worker.Commit{Offset: end, Metadata: worker.Note{Topic: t.id}.String()}
		}
	}
	answered, err := r.coord.commit(ctx, nobody, ends)
	for at := range ends {
		err = errors.Join(err, answered[at])
	}
	if errors.Is(err, worker.ErrFenced) {
		return nil // it has members: one of them was first
	}
	return err
}

// applied remembers in a file which sinks were applied before.
type applied struct {
	file string
	mu   struct {
		sync.Mutex
		since map[string]time.Time // nil: not read yet
	}
}

func newApplied(data string) *applied { return &applied{file: filepath.Join(data, "applied.json")} }

func (a *applied) has(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read()
	_, ok := a.mu.since[key]
	return ok
}

// read reads the file once; a missing or damaged one is empty: commits of the group then say the same. a.mu is held.
func (a *applied) read() {
	if a.mu.since != nil {
		return
	}
	a.mu.since = map[string]time.Time{}
	b, err := os.ReadFile(a.file)
	if err != nil || json.Unmarshal(b, &a.mu.since) != nil {
		a.mu.since = map[string]time.Time{}
	}
}

func (a *applied) add(key string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read()
	a.mu.since[key] = time.Now().UTC()
	b, err := json.Marshal(a.mu.since)
	if err != nil {
		return err
	}
	return durable.Replace(a.file, b, 0o600)
}

// instanceID reads the id of this data folder, or makes one; it tells a later start from another transfer of the
// same name.
func instanceID(data string, fresh func() string) (string, error) {
	name := filepath.Join(data, "instance")
	b, err := os.ReadFile(name)
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := fresh()
	return id, durable.Replace(name, []byte(id), 0o600)
}
