package topics

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

var errKilled = errors.New("killed")

// changing are the operations that a start after a kill may find done and not durable.
var changing = map[string]bool{"mkdir": true, "open": true, "write": true, "rename": true, "sync": true, "syncdir": true, "remove": true}

// A process that is killed while it makes a topic, or ends, leaves files and names that are there for the next one and
// not on the disk yet. What the next one acknowledges must survive a power cut all the same.
func TestAPowerCutAfterAKillTakesNothingThatWasAcknowledged(t *testing.T) {
	for _, partitions := range []int{2, logsOfMany} {
		for what, life := range map[string]func(topics *Topics) error{
			"making a topic": func(topics *Topics) error {
				_, err := topics.Create("web_log", partitions, nil)
				return err
			},
			"more partitions": func(topics *Topics) error {
				if _, err := topics.Create("web_log", 1, nil); err != nil {
					return err
				}
				return topics.Extend("web_log", partitions)
			},
			"ending": func(topics *Topics) error {
				_, err := topics.Create("web_log", partitions, nil)
				return errors.Join(err, topics.Close())
			},
		} {
			t.Run(fmt.Sprintf("%s of %d", what, partitions), func(t *testing.T) {
				t.Parallel()
				killedThenCut(t, partitions, life)
			})
		}
	}
}

// killedThenCut kills one life at each of its operations, lets another one write, and cuts the power.
func killedThenCut(t *testing.T, partitions int, life func(*Topics) error) {
	step := 1 + partitions/12*16
	for n := 0; ; n += step {
		rng := rand.New(rand.NewPCG(uint64(n), 10))
		dir, fs := t.TempDir(), crashdisk.New()
		syncer := commitlog.NewSyncer(commitlog.SyncerConfig{Whole: fs})
		start := func() *Topics {
			topics, err := Open(Config{Dir: dir, Disk: fs, Syncer: syncer})
			if err != nil {
				t.Fatal(err)
			}
			return topics
		}
		topics, left, at := start(), n, ""
		var one sync.Mutex
		fs.SetFault(func(op, path string, size int) (int, error) {
			one.Lock()
			defer one.Unlock()
			if changing[op] {
				left--
			}
			if left >= 0 {
				return size, nil
			}
			if at == "" {
				at = op + " " + filepath.Base(path)
			}
			return 0, errKilled
		})
		err := life(topics)
		for _, topic := range topics.List() {
			for _, p := range topic.Partitions() {
				p.Log.Abandon()
			}
		}
		if err == nil {
			return
		}
		fs.SetFault(nil)
		topics = start()
		topic := topics.Get("web_log")
		if topic == nil {
			continue // it had not come to be
		}
		ctx, stop := context.WithCancel(t.Context())
		var syncing sync.WaitGroup
		syncing.Go(func() { _ = syncer.Run(ctx) })
		wrote := map[int32]bool{}
		for _, p := range topic.Partitions() { // one after the other: each is synced by itself
			if rng.IntN(2) == 0 {
				continue
			}
			wrote[p.Index] = true
			put(t, p, "a")
			if err := p.Log.WaitDurable(ctx, p.Log.End()-1); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		syncing.Wait()
		for range 3 {
			image := filepath.Join(t.TempDir(), "image")
			if err := fs.PowerCut(rng, dir, image); err != nil {
				t.Fatal(err)
			}
			after, err := Open(Config{Dir: image})
			if err != nil {
				t.Fatalf("killed at %s: %v", at, err)
			}
			for i := range wrote {
				if topic := after.Get("web_log"); topic == nil || topic.Partition(i) == nil || topic.Partition(i).Log.End() != 1 {
					t.Fatalf("killed at %s: an acknowledged record of partition %d is gone", at, i)
				}
			}
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range topic.Partitions() {
			p.Log.Abandon()
		}
	}
}

// A deletion that a kill and a power cut came into is done or has not begun: a topic that is still there has its records.
func TestAPowerCutWhileADeletionIsFinishedLeavesAllOfATopicOrNothing(t *testing.T) {
	killed := true
	for n := 0; killed; n += 2 {
		rng := rand.New(rand.NewPCG(uint64(n), 11))
		dir, fs := t.TempDir(), crashdisk.New()
		topics, err := Open(Config{Dir: dir, Disk: fs})
		if err != nil {
			t.Fatal(err)
		}
		topic, err := topics.Create("web_log", 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range topic.Partitions() {
			put(t, p, "a")
		}
		left := n
		fs.SetFault(func(op, _ string, size int) (int, error) {
			if changing[op] {
				left--
			}
			if left < 0 {
				return 0, errKilled
			}
			return size, nil
		})
		killed = topics.Delete("web_log") != nil
		images := []string{}
		var one sync.Mutex
		fs.SetFault(func(op, _ string, size int) (int, error) {
			one.Lock()
			defer one.Unlock()
			if changing[op] && len(images) < 6 {
				images = append(images, filepath.Join(t.TempDir(), "image"))
				if err := fs.PowerCut(rng, dir, images[len(images)-1]); err != nil {
					t.Error(err)
				}
			}
			return size, nil
		})
		again, err := Open(Config{Dir: dir, Disk: fs})
		if err != nil {
			t.Fatal(err)
		}
		fs.SetFault(nil)
		for _, image := range images {
			after, err := Open(Config{Dir: image})
			if err != nil {
				t.Fatal(err)
			}
			if topic := after.Get("web_log"); topic != nil {
				for _, p := range topic.Partitions() {
					if p.Log.End() != 1 {
						t.Fatalf("killed at operation %d of the deletion: the topic is there, and partition %d ends at %d", n, p.Index, p.Log.End())
					}
				}
			}
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
