package diskroom

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// fullDisk is the time from the first write that finds no room until there is some.
type fullDisk struct {
	refusal *RefusedError
	kind    fullKind
	want    int64 // bytes free on the disk that end it
	since   time.Time
	least   time.Duration // it lasts so long at least: the disk says that there is room, and there is none
	gate    *gate
}

// gate is passed when the clients are through that were let in before anybody knew that the disk is full.
type gate struct {
	once   sync.Once
	open   chan struct{}
	failed atomic.Int64 // writes of the broker's own since then
}

// fewFailed is how many writes may find no room beside the ballast's before that is said to be used up: one may just have
// been overtaken by others.
const fewFailed = 3

// windowsDiskFull is Windows' own number for a full disk.
const windowsDiskFull = syscall.Errno(112)

// noSpace says whether a write failed for want of room on the disk.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, windowsDiskFull)
}

const (
	clientsPatience = 200 * time.Millisecond // how long the broker's own writes wait for clients that are on their way
	leastFull       = 100 * time.Millisecond // the first time that a disk is full which says that it has room
	mostFull        = 30 * time.Second       // and at most, when that happens again and again
)

// Note is told how an append of so many bytes went that Admit let in.
func (r *Room) Note(bytes int, err error) {
	if r.cfg.Budget > 0 {
		r.landed.Add(int64(bytes))
	}
	left := r.admitted.Add(-1)
	if noSpace(err) {
		r.enterFull(bytes, err)
	}
	if f := r.full.Load(); f != nil && left <= 0 {
		r.release(f)
	}
}

// release gives up the ballast once the clients are through that do not know yet that it is not for them.
func (r *Room) release(f *fullDisk) {
	f.gate.once.Do(func() {
		r.dropBallast()
		close(f.gate.open)
	})
}

// Relieve is told of a write of the broker itself that failed. When the disk is full it gives up the ballast and refuses
// clients from now on; true says that the write may be tried again. Where the reserve is used up too it says so: those
// who wait for the write hear no more than that the coordinator is not available.
func (r *Room) Relieve(bytes int, err error) bool {
	if !noSpace(err) {
		return false
	}
	f := r.enterFull(bytes, err)
	select {
	case <-f.gate.open: // the ballast had gone before
		f.gate.failed.Add(1)
	default:
	}
	if r.admitted.Load() <= 0 {
		r.release(f)
	}
	late := time.NewTimer(clientsPatience)
	defer late.Stop()
	select {
	case <-f.gate.open:
	case <-late.C:
		r.release(f)
	}
	_, free := r.cfg.Space(r.cfg.Dir)
	again := free < 0 || free > int64(bytes)
	if (!again || f.gate.failed.Load() >= fewFailed) && r.spent.again() {
		r.log.Error("the reserve for commits and transactions is used up: groups, and producers that want an id or a transaction, are answered COORDINATOR_NOT_AVAILABLE, and ask again, until there is room; "+f.refusal.Why, "error", err)
	}
	return again
}

// enterFull refuses clients from now on.
func (r *Room) enterFull(bytes int, err error) *fullDisk {
	for {
		f, old := r.fullAfter(bytes), r.full.Load()
		if old != nil {
			if old.want >= f.want {
				return old
			}
			f.since, f.least, f.gate = old.since, old.least, old.gate
		}
		if !r.full.CompareAndSwap(old, f) {
			continue
		}
		if old == nil {
			r.fulls.first(string(f.kind))
			r.log.Error("the disk is full: batches are refused until there is room, producers keep and resend them; "+f.refusal.Why, "error", err)
		}
		r.kick()
		return f
	}
}

// fullAfter is what a write of so many bytes means that found no room.
func (r *Room) fullAfter(bytes int) *fullDisk {
	// Some more than the write and the ballast, else small writes would fill it again at once.
	f := &fullDisk{want: 2*max(r.cfg.Ballast, 0) + 2*int64(bytes), since: time.Now(), gate: &gate{open: make(chan struct{})}}
	if r.explain(f); f.kind == otherLimit {
		f.least = leastFull
		if before := r.lasted.Load(); before != nil && time.Since(before.ended) < 2*mostFull {
			f.least = min(max(2*before.least, leastFull), mostFull)
		}
	}
	return f
}

// fullKind is what a disk has run out of.
type fullKind string

const (
	noBytes    fullKind = "bytes"
	otherLimit fullKind = "quota" // or the number of files: the disk says that it has bytes
)

// explain puts into words why a disk is full, as it stands now.
func (r *Room) explain(f *fullDisk) {
	if _, free := r.cfg.Space(r.cfg.Dir); free >= f.want {
		f.kind = otherLimit
		f.refusal = &RefusedError{fmt.Sprintf("the disk under %s takes no more although %s are free there, so a quota is used up or there may be no more files (df -i): raise it, or remove files", r.cfg.Dir, Bytes(free))}
		return
	}
	f.kind = noBytes
	f.refusal = &RefusedError{fmt.Sprintf("the disk under %s is full: records are taken again when %s are free there; free space, delete what is not needed with loghaul topic trim (whole segments go), or lower retention.ms of topics", r.cfg.Dir, Bytes(f.want))}
}

// restate has a disk that is still full say what it is full of now.
func (r *Room) restate() {
	old := r.full.Load()
	if old == nil {
		return
	}
	f := *old
	r.explain(&f)
	if f.refusal.Why == old.refusal.Why || !r.full.CompareAndSwap(old, &f) {
		return
	}
	if r.fulls.another(string(f.kind)) {
		r.log.Error("batches are still refused, for another reason now: "+f.refusal.Why, "since", f.since.Round(time.Second))
	}
}

// lasted is how the last full disk ended.
type lasted struct {
	ended time.Time
	least time.Duration
}

// tryLeaveFull says whether there is room on the disk; clients write again from then on.
func (r *Room) tryLeaveFull() bool {
	f := r.full.Load()
	if f == nil {
		return true
	}
	if _, free := r.cfg.Space(r.cfg.Dir); free >= 0 && free < f.want || time.Since(f.since) < f.least {
		return false
	}
	if r.full.CompareAndSwap(f, nil) {
		r.lasted.Store(&lasted{time.Now(), f.least})
		r.log.Info("there is room on the disk again, writing goes on", "folder", r.cfg.Dir, "after", time.Since(f.since).Round(time.Millisecond))
		r.kick()
	}
	return true
}

// lettersFit says whether dead letters may be written on a full disk: half of the ballast's room is for commits.
func (r *Room) lettersFit(bytes int) bool {
	_, free := r.cfg.Space(r.cfg.Dir)
	return free < 0 || free-int64(bytes) >= r.cfg.Ballast/2
}
