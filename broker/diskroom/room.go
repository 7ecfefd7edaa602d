// Package diskroom keeps the broker's data within its disk: it lets clients' records in while there is room for them,
// deletes oldest segments where that is allowed, and keeps a reserve for commits, transactions and dead letters.
package diskroom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// For maintainers. The bytes of all logs, with their indexes and small files, against the budget:
//
//	0                                    target  begin    resume limit           budget
//	|---------------------------------------|------|---------|-----|---------------|
//	  clients write                          room is made           the reserve: dead letters,
//	                                         down to target         commits, transactions
//
// Above begin, oldest segments go until target, as far as the policy allows it. At limit clients are refused, until
// resume. Dead letters go on to the budget; the broker's own state asks nobody, and is counted.
//
// A disk that is full for whatever reason is another wall: when the clients on their way are through, the ballast goes, whose
// place is then the reserve, and clients are refused until there is room again.

// OnFull says what happens when the budget is used up.
type OnFull string

const (
	// Block refuses clients' records; only what every live group of a topic has committed is deleted for room.
	Block OnFull = "block"
	// DropOldest deletes the oldest segments of the largest topics, read or not.
	DropOldest OnFull = "drop-oldest"
)

// Log is one partition's log, as far as it takes room.
type Log interface {
	// Pieces appends the segments to dst, oldest first; the last one takes the appends.
	Pieces(dst []commitlog.Piece) []commitlog.Piece
	// Seal begins a new segment, so that the one before may go.
	Seal() error
	// WaitDurable waits until the log is durable up to an offset.
	WaitDurable(ctx context.Context, upTo record.Offset) error
	// DeleteForRoom deletes sealed segments that lie wholly before an offset.
	DeleteForRoom(before record.Offset) (commitlog.Freed, error)
}

// Partition is a log with what is to be known of it.
type Partition struct {
	Topic  string
	Index  int32
	Log    Log
	Spared bool // never deleted for room: the broker's own state, and topics that keep the latest of each key
}

// Config steers a Room. Dir and Partitions are required.
type Config struct {
	Dir        string                    // the data folder
	Budget     int64                     // of all logs with their indexes and small files, in bytes; 0: the disk itself is the limit, and nothing is deleted for room
	OnFull     OnFull                    // ["block"]
	Partitions func() []Partition        // all there are
	Groups     func() []Claim            // what groups have committed and want; nil: there are none
	Sinks      func() ([]Sink, bool)     // groups that are not to be forgotten while their sinks are configured; false: not known yet; nil: there are none
	Lost       func() any                // what else Report shows, under "lost"; nil: nothing
	Damaged    func() any                // and under "damaged"; nil: nothing
	Holes      func() any                // and under "unreadable"; nil: nothing
	Ballast    int64                     // bytes kept for the moment the disk is full; 0: 1 % of it, 16 MiB and the reserve at most; negative: none
	Disk       disk.FS                   // where the ballast lies; nil: the real one. Another one has none unless Ballast is set
	Space      func(string) (t, f int64) // size of the disk under a folder and what is free there; nil: asks the system
	Now        func() time.Time          // by which groups count as live; nil: time.Now
	Logger     *slog.Logger              // nil discards
}

// MinBudget is the smallest budget that is taken.
const MinBudget = 4 << 20

// Validate lists every complaint.
func (c Config) Validate() error {
	var errs []error
	if c.Budget != 0 && c.Budget < MinBudget {
		errs = append(errs, fmt.Errorf("--disk-budget (%d) must be at least 4MiB", c.Budget))
	}
	switch {
	case c.OnFull != "" && c.OnFull != Block && c.OnFull != DropOldest:
		errs = append(errs, fmt.Errorf("--on-full (%s) must be %s or %s", c.OnFull, Block, DropOldest))
	case c.OnFull == DropOldest && c.Budget == 0:
		errs = append(errs, fmt.Errorf("--on-full %s needs --disk-budget: without one nothing is deleted for room", DropOldest))
	}
	return errors.Join(errs...)
}

// Room is the disk's keeper. It is safe for concurrent use.
type Room struct {
	cfg   Config
	log   *slog.Logger
	marks marks

	base     atomic.Int64 // charged+base is what the logs take, a little more while records are on their way
	charged  atomic.Int64 // bytes let in since the start
	landed   atomic.Int64 // those of them that are written, or are not going to be
	looked   atomic.Int64 // charged when the logs were last measured
	measured atomic.Bool  // base is known
	wanted   atomic.Int64 // bytes of the largest batch that found no room since the last look; 0: all did
	refused  atomic.Int64 // batches
	wall     atomic.Pointer[wall]
	full     atomic.Pointer[fullDisk]
	lasted   atomic.Pointer[lasted] // nil: the disk has not been full yet
	admitted atomic.Int64           // appends that were let in and have not been told of
	aside    atomic.Int64           // bytes of the small files beside the logs, when they were last counted

	began atomic.Int64 // looks
	ended atomic.Int64 // the number of the last look that has ended

	wake    chan struct{} // buffered: there is something to do
	stopped chan struct{} // closed by Run when it ends
	waited  time.Duration // by the last look, for the disk; Run's own

	mu struct {
		sync.Mutex
		verdict chan struct{} // closed and replaced at the end of each look
		dropped map[string]Dropped
		said    string // the last complaint about the ballast
		counted counted
	}
	walls, fulls, spent sayer // what has been said of a used up budget, a full disk, and a reserve that is gone

	ballast struct {
		sync.Mutex
		there bool
	}
}

// New makes a Room. It starts nothing: Run measures, and until then clients wait a moment.
func New(cfg Config) (*Room, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("keeping room on the disk: %w", err)
	}
	if cfg.OnFull == "" {
		cfg.OnFull = Block
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Space == nil {
		cfg.Space = disk.Space
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Groups == nil {
		cfg.Groups = func() []Claim { return nil }
	}
	if cfg.Sinks == nil {
		cfg.Sinks = func() ([]Sink, bool) { return nil, true }
	}
	r := &Room{cfg: cfg, log: cfg.Logger, marks: marksOf(cfg.Budget), wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	r.cfg.Ballast = r.ballastBytes()
	r.mu.verdict = make(chan struct{})
	r.mu.dropped = map[string]Dropped{}
	return r, nil
}

const (
	lookEvery = time.Second            // between two looks while something is written, or refused
	restEvery = 10 * time.Second       // while nothing is
	pause     = 20 * time.Millisecond  // at least
	calm      = 100 * time.Millisecond // while clients are refused, who ask again and again
)

// Run measures and makes room, until ctx ends. On a full disk it leaves the ballast's room to those who close the logs.
func (r *Room) Run(ctx context.Context) error {
	defer r.leave()
	defer close(r.stopped)
	r.compareWithDisk()
	var counting sync.WaitGroup
	defer counting.Wait()
	counting.Go(func() { r.countAside(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		began := time.Now()
		r.waited = 0
		r.look(ctx)
		last = began
		took := time.Since(began) - r.waited
		// A look walks over all segments and groups: that may take a twentieth of the time.
		least := pause
		if r.wall.Load() != nil {
			least = calm
		}
		pace := time.NewTimer(min(max(least, 20*took), 2*lookEvery))
		select {
		case <-ctx.Done():
			pace.Stop()
			return nil
		case <-pace.C:
		}
		for due := false; !due; {
			select {
			case <-ctx.Done():
				return nil
			case <-r.wake:
				due = true
			case now := <-tick.C:
				due = r.busy() || now.Sub(last) >= restEvery
			}
		}
	}
}

// compareWithDisk says when the budget can never be used up.
func (r *Room) compareWithDisk() {
	total, _ := r.cfg.Space(r.cfg.Dir)
	if r.cfg.Budget > 0 && total >= 0 && r.cfg.Budget > total {
		r.log.Warn("--disk-budget is more than the disk has: the disk will be full first", "folder", r.cfg.Dir, "budget", Bytes(r.cfg.Budget), "disk", Bytes(total))
	}
}

// busy says whether a look may find something new.
func (r *Room) busy() bool {
	if r.full.Load() != nil || r.ballastMissing() {
		return true
	}
	return r.cfg.Budget > 0 && (r.wall.Load() != nil || r.wanted.Load() > 0 || r.charged.Load() != r.looked.Load())
}

// kick has Run look soon.
func (r *Room) kick() {
	select {
	case r.wake <- struct{}{}:
	default: // it will
	}
}

// look measures, makes room where that is needed and allowed, and judges who may write.
func (r *Room) look(ctx context.Context) {
	number := r.began.Add(1)
	defer r.pronounce(number)
	r.tryLeaveFull()
	r.restate()
	if f := r.full.Load(); f != nil && time.Since(f.since) > lookEvery { // whoever is still on its way is stuck
		r.release(f)
	}
	if r.cfg.Budget > 0 {
		shelves := r.measure()
		h := holdsOf(nil, nil, r.cfg.Now())
		if r.short() > 0 {
			shelves, h = r.makeRoom(ctx, shelves)
			r.tryLeaveFull()
		}
		r.judge(shelves, h)
	}
	r.keepBallast()
}

// pronounce lets those who wait look again.
func (r *Room) pronounce(number int64) {
	r.ended.Store(number)
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.mu.verdict)
	r.mu.verdict = make(chan struct{})
}
