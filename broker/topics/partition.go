package topics

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// How much a start after a crash reads again before the recovery points: a disk that lied about its last moments is
// found out, and a thousand logs do not make the broker wait for the disk.
const (
	recheckEach  = 16 << 20  // of one log
	recheckAll   = 512 << 20 // of all; with more than 32 logs each has its share
	recheckLeast = 64 << 10
)

// openAtATime is how many logs are opened together: enough for every core, and for a disk that answers several at once.
func openAtATime() int { return max(8, 2*runtime.GOMAXPROCS(0)) }

// recheckShare is how far before its recovery point each of so many logs is read again.
func recheckShare(logs int) int64 {
	return max(recheckLeast, min(recheckEach, recheckAll/int64(max(1, logs))))
}

// openPartitions opens partitions from..to-1 of a topic and puts them into it. On an error none of them stays open.
func (t *Topics) openPartitions(topic *Topic, from, to int) error {
	ps := make([]*Partition, to)
	copy(ps, topic.Partitions())
	g := t.starting // many logs are made durable together, at the end of Open or here
	if topic.foreign || t.again {
		g = &together{} // what is taken over says so at once, and what it says must be durable before
	} else if g == nil {
		g = t.together(to - from)
	}
	var made atomic.Bool
	var opening errgroup.Group
	opening.SetLimit(openAtATime())
	for i := from; i < to; i++ {
		opening.Go(func() error {
			t.opening <- struct{}{} // shared by all topics; who holds a place lets go of it by himself
			defer func() { <-t.opening }()
			log, fresh, err := t.openPartition(filepath.Join(t.cfg.Dir, folder(topic.Name, int32(i))), topic, g.disk != nil)
			if err != nil {
				return err
			}
			if fresh || log.End() == 0 { // who made it may have been killed before its name was durable
				made.Store(true)
				g.need.Store(true)
			} else if log.Unclean() {
				g.need.Store(true)
			}
			ps[i] = &Partition{Topic: topic, Index: int32(i), Log: log, Fresh: fresh}
			return nil
		})
	}
	err := opening.Wait()
	switch {
	case err != nil || g == t.starting && g.disk != nil: // Open syncs
	case g.disk != nil:
		err = g.sync()
	case made.Load():
		err = t.cfg.Disk.SyncDir(t.cfg.Dir) // records in a folder without a name would be lost
		if err == nil && t.starting != nil {
			err = t.cfg.Disk.SyncDir(filepath.Join(t.cfg.Dir, folder(topic.Name, 0))) // and those of a partition that topic.properties does not know
		}
	}
	if err != nil {
		for _, p := range ps[from:] {
			if p != nil {
				_ = p.Log.Close()
			}
		}
		return err
	}
	topic.partitions.Store(&ps)
	return nil
}

func (t *Topics) openPartition(dir string, topic *Topic, later bool) (log *commitlog.Log, fresh bool, err error) {
	if fresh, err = t.claim(dir, topic, later); err != nil {
		return nil, fresh, err
	}
	cfg := t.logConfig(topic.Effective())
	cfg.LeaderEpoch, cfg.RecheckBytes, cfg.Aging, cfg.Later = t.cfg.LeaderEpoch, t.recheck, t.cfg.Now, later
	cfg.Logger, cfg.Cut, cfg.Disk = t.cfg.Logger, t.cfg.Cut, t.cfg.Disk
	cfg.Deleted, cfg.Foreign = t.cfg.Deleted, topic.foreign
	log, err = commitlog.Open(dir, cfg, t.cfg.Syncer)
	if err != nil {
		return nil, fresh, fmt.Errorf("opening partition %s: %w", filepath.Base(dir), err)
	}
	return log, fresh || log.Begun(), nil
}

// claim makes a partition's folder if there is none, and makes sure that it says that it is of this topic. One that is
// left of a deleted topic of the same name goes as that one did; any other with another topic's id is not touched.
func (t *Topics) claim(dir string, topic *Topic, later bool) (fresh bool, err error) {
	id, version := readVersioned(t.cfg.Disk, dir)
	if version > 0 {
		return false, fmt.Errorf("%s has version %d, this program reads version 0: a newer Kafka wrote it: start that one, or put back a copy of the folder from before it",
			filepath.Join(dir, metadataFile), version)
	}
	if id == topic.ID {
		return false, nil
	}
	if id != (ID{}) {
		t.resuming.Lock() // several partitions may find the same deletion unfinished
		defer t.resuming.Unlock()
		id = readMetadata(t.cfg.Disk, dir)
	}
	if id != (ID{}) {
		mark := filepath.Join(t.cfg.Dir, deletedPrefix+hex.EncodeToString(id[:]))
		if _, err := t.cfg.Disk.Stat(mark); err != nil {
			return false, fmt.Errorf("the folder %s belongs to a topic with the id %s, and topic %s has the id %s: move the folder away, "+
				"or remove its file %s if its records are to be this topic's", dir, id, topic.Name, topic.ID, metadataFile)
		}
		if err := t.resumeDelete(mark); err != nil {
			return false, err
		}
	}
	switch err := t.cfg.Disk.Mkdir(dir, 0o750); {
	case err == nil:
		return true, beginMetadata(t.cfg.Disk, dir, topic.ID, later)
	case !errors.Is(err, fs.ErrExist):
		return false, err
	}
	return false, writeMetadata(t.cfg.Disk, dir, topic.ID) // put there by hand, or of the time before there were ids
}
