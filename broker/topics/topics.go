// Package topics keeps the topics of a broker: their names, ids, settings and partitions, created, extended and
// deleted durably, in Kafka's own folder layout.
package topics

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/disk"
)

// For maintainers. One data folder holds, for a topic of three partitions,
//
//	web_log-0/  partition.metadata (Kafka's: the id)   topic.properties (ours: id, number of partitions, settings)
//	web_log-1/  partition.metadata                     and in each what package commitlog writes
//	web_log-2/  partition.metadata
//
// topic.properties is the whole truth about a topic. Creating makes web_log-0 under another name, complete and
// synced, and renames it: from that moment the topic exists, and whatever else is missing is made at the next start.
// Extending replaces topic.properties by a rename, then makes the folders. Deleting renames web_log-0 to
// .deleted-<id>: from that moment the topic is gone, and its other folders, known by the same id, are removed at once
// or at the next start; the renamed folder goes last. A folder is never removed without that mark.

// What creating, extending and finding refuse; test with errors.Is.
var (
	ErrExists        = errors.New("topic already exists")
	ErrUnknown       = errors.New("unknown topic")
	ErrPartitions    = errors.New("invalid number of partitions")
	ErrTooMany       = errors.New("too many partitions")
	ErrSetting       = errors.New("invalid setting")
	ErrSettings      = errors.New("too many settings")
	errAlreadyClosed = errors.New("topics are closed")
)

// Config steers a Topics.
type Config struct {
	Dir           string              // the data folder
	Settings      *Settings           // the broker's; nil: all defaults
	Syncer        *commitlog.Syncer   // syncs the partitions' logs
	LeaderEpoch   int32               // of this start of the broker
	MaxPartitions int                 // of all topics together; 0: 20000
	MostSegment   int64               // segments are rolled at so many bytes at the latest; 0: as segment.bytes says
	Logger        *slog.Logger        // nil discards
	Cut           func(commitlog.Cut) // told what the recovery of a log took away; nil: the Logger

	// Deleted is told what retention, trimming and want of room took from a log's beginning; nil: nobody.
	Deleted func(commitlog.Deletion)
	Disk    disk.FS // where the files live; nil: the real disk

	Scrub ScrubConfig      // the slow reading of everything
	Now   func() time.Time // by which ages are counted; nil: the wall clock
}

// Topics is the set of topics under one data folder. It is safe for concurrent use.
type Topics struct {
	cfg      Config
	log      *slog.Logger
	changing sync.Mutex    // one create, extend or delete at a time; taken before mu
	resuming sync.Mutex    // one unfinished deletion is finished at a time
	opening  chan struct{} // holds one for each log that is being opened
	told     sync.Map      // damages that were told; as many as the logs remember
	doubts   chan doubt    // damage that readers came to
	starting *together     // what Open leaves to one sync of the disk at its end; nil: it is over
	recheck  int64         // how far before its recovery point each log is read again after a crash
	took     atomic.Bool   // Open has taken topics over from a Kafka
	again    bool          // a Kafka ran here since this broker did: Open takes every log over anew

	mu struct {
		sync.RWMutex
		byName     map[string]*Topic
		byID       map[ID]*Topic
		collisions map[string]string // "a_b" to the name that took it
		partitions int
		closed     bool
	}
}

// Topic is one topic. Its fields never change; its partitions only grow.
type Topic struct {
	Name string
	ID   ID

	foreign    bool // until it is taken over
	own        atomic.Pointer[map[string]string]
	effective  atomic.Pointer[Effective]
	partitions atomic.Pointer[[]*Partition]
}

// Partition is one partition of a topic and its log.
type Partition struct {
	Topic *Topic
	Index int32
	Log   *commitlog.Log
	Fresh bool // nothing of its log was there when it was opened: it is new, or was lost
}

// Partitions are the topic's, in order; the slice is not to be changed.
func (t *Topic) Partitions() []*Partition { return *t.partitions.Load() }

// Partition returns partition i, or nil when there is none.
func (t *Topic) Partition(i int32) *Partition {
	ps := *t.partitions.Load()
	if i < 0 || int(i) >= len(ps) {
		return nil
	}
	return ps[i]
}

// Own are the settings of the topic itself; the map is not to be changed.
func (t *Topic) Own() map[string]string { return *t.own.Load() }

// Effective is what the topic's settings come to.
func (t *Topic) Effective() *Effective { return t.effective.Load() }

// Get finds a topic by name, nil when there is none.
func (t *Topics) Get(name string) *Topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.byName[name]
}

// Find is Get for a name that is still bytes of a request; it allocates nothing.
func (t *Topics) Find(name []byte) *Topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.byName[string(name)]
}

// ByID finds a topic by its id, nil when there is none.
func (t *Topics) ByID(id ID) *Topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.byID[id]
}

// List is every topic, ordered by name.
func (t *Topics) List() []*Topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.SortedFunc(maps.Values(t.mu.byName), func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
}

// TookOver says that Open has taken topics over from a Kafka.
func (t *Topics) TookOver() bool { return t.took.Load() }

// Folder is where the topics' folders lie: the absolute path, where there is one.
func (t *Topics) Folder() string {
	if path, err := filepath.Abs(t.cfg.Dir); err == nil {
		return path
	}
	return t.cfg.Dir
}

// Settings are the broker's.
func (t *Topics) Settings() *Settings { return t.cfg.Settings }

// Run rolls and deletes segments by age and size (log.retention.check.interval.ms), compacts (compact.go), and reads
// what is stored for damage (scrub.go), until ctx ends.
func (t *Topics) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { t.compact(ctx) })
	wg.Go(func() { t.scrub(ctx) })
	wg.Go(func() { t.checkDoubts(ctx) })
	defer wg.Wait()
	tick := time.NewTicker(t.cfg.Settings.Millis("log.retention.check.interval.ms"))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			t.retain(ctx, t.cfg.Now())
		}
	}
}

func (t *Topics) retain(ctx context.Context, now time.Time) {
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			if ctx.Err() != nil {
				return
			}
			err := p.Log.Retain(now)
			if err != nil && !errors.Is(err, commitlog.ErrClosed) {
				t.log.Error("deleting old segments", "partition", folder(topic.Name, p.Index), "error", err)
			}
		}
	}
}

// Close closes every log cleanly. Nobody may append any more.
func (t *Topics) Close() error {
	t.changing.Lock()
	defer t.changing.Unlock()
	t.mu.Lock()
	t.mu.closed = true
	t.mu.Unlock()
	return t.closeLogs()
}

// add makes a topic visible.
func (t *Topics) add(topic *Topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.byName[topic.Name] = topic
	t.mu.byID[topic.ID] = topic
	t.mu.collisions[collision(topic.Name)] = topic.Name
	t.mu.partitions += len(topic.Partitions())
}

// remove makes a topic invisible.
func (t *Topics) remove(topic *Topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.byName, topic.Name)
	delete(t.mu.byID, topic.ID)
	delete(t.mu.collisions, collision(topic.Name))
	t.mu.partitions -= len(topic.Partitions())
}
