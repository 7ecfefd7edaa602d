package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/internal/line"
)

// countEvery is how often the partitions of a topic are counted.
const countEvery = time.Minute

// topic is one topic that lines go to. Its fields are guarded by Agent.mu, except name.
type topic struct {
	a         *Agent
	name      string
	create    *produce.Create
	ready     bool // it is there, and nothing of an earlier life is in doubt
	err       error
	info      produce.Topic
	doubt     journal.Doubt // set before any partition is opened
	behind    bool          // the journal was, when this process began
	strays    strays        // stored, and not known whose
	owners    *follow.Owners
	journaled *known // safe without Agent.mu
	lanes     map[int32]*lane
	parts     map[int32]*produce.Partition
	asked     time.Time
}

// run brings the topic to where its streams may start: it is there, the journal belongs
// to the cluster, and what an earlier life left in doubt is settled.
func (t *topic) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := t.open(ctx)
		if err == nil {
			t.a.topicReady(ctx, t)
			return
		}
		if ctx.Err() != nil {
			return
		}
		t.note(err)
		pause(ctx, t.a.cfg.stuckPause)
	}
}

func (t *topic) open(ctx context.Context) error {
	t.a.mu.Lock()
	create := t.create
	t.a.mu.Unlock()
	info, err := t.a.client.Topic(ctx, t.name, create, t.note)
	if err != nil {
		return err
	}
	if _, err := t.a.client.Bind(ctx, t.name, t.note); err != nil {
		return err
	}
	t.a.mu.Lock()
	t.info, t.err, t.asked = info, nil, time.Now()
	t.a.mu.Unlock()
	return t.settle(ctx)
}

// settle finds out what the topic has of us: of the batches in doubt and, where the
// journal is doubted itself, of what it may not know. Nothing is read for the topic
// before that.
func (t *topic) settle(ctx context.Context) error {
	doubt, doubted := t.a.journal.Doubted(t.name)
	uncertain := t.uncertain(doubted && !doubt.New)
	if doubted || len(uncertain) > 0 {
		t.a.guards.hurry(t.name)
	}
	t.a.mu.Lock()
	t.doubt, t.behind = doubt, t.behind || doubt.Behind
	t.a.mu.Unlock()
	var asked []*produce.Partition
	for _, n := range uncertain {
		p := t.partition0(ctx, n)
		if p == nil {
			return ctx.Err()
		}
		asked = append(asked, p)
	}
	for _, p := range asked {
		if err := p.Settled(ctx); err != nil {
			return err
		}
	}
	t.countBeyond()
	if !doubted {
		return nil
	}
	if err := t.recall(ctx, doubt); err != nil {
		return err
	}
	if err := t.a.journal.Trust(t.name); err != nil {
		return err
	}
	var known []follow.Checkpoint
	for _, g := range t.a.journal.Generations(t.name) {
		known = append(known, checkpoint(g))
	}
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	t.doubt, t.owners = journal.Doubt{}, follow.NewOwners(known)
	return nil
}

// uncertain are the partitions that must be asked before anything is read: those with
// batches in doubt and, when the journal is doubted, all: each may hold what it does not
// know.
func (t *topic) uncertain(doubted bool) []int32 {
	var list []int32
	for at := range t.a.journal.InDoubt() {
		if at.Topic == t.name {
			list = append(list, at.Number)
		}
	}
	t.a.mu.Lock()
	count := t.info.Partitions
	t.a.mu.Unlock()
	for n := range count {
		if doubted {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// partition0 opens partition n with what the journal knows of it.
func (t *topic) partition0(ctx context.Context, n int32) *produce.Partition {
	t.a.mu.Lock()
	info, doubt := t.info, t.doubt
	t.a.mu.Unlock()
	at := journal.Partition{Topic: t.name, Number: n}
	t.a.settling.Lock()
	st, _ := t.a.journal.Partition(at)
	p := t.a.client.Open(ctx, produce.Opening{At: at, Topic: info.ID, State: st, Doubt: t.a.journal.InDoubt()[at], Moved: doubt.Moved, Since: doubt.Since, Behind: doubt.Behind, ReadBack: doubt.New})
	t.a.settling.Unlock()
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	t.parts[n] = p
	return p
}

// note publishes what stands in the way of the topic.
func (t *topic) note(err error) {
	t.a.guards.hurry(t.name)
	t.a.mu.Lock()
	news := t.err == nil || t.err.Error() != err.Error()
	t.err = err
	t.a.mu.Unlock()
	if news {
		t.a.log.Warn("a topic cannot be reached; lines wait in their files", "topic", t.name, "err", err)
		t.a.metrics.troubles.WithLabelValues("topic").Inc()
	}
}

// trouble is what stands in the way of the topic or of one of its partitions; mu is held.
func (t *topic) trouble() error {
	if t.err != nil {
		return t.err
	}
	for n, p := range t.parts {
		if p == nil {
			continue
		}
		if err := p.Trouble(); err != nil {
			return fmt.Errorf("partition %d: %w", n, err)
		}
	}
	return nil
}

// partition is where the lines of a path go by their key. It may be called by lanes.
func (t *topic) partition(in *input, path string) int32 {
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	return t.byKey(path)
}

// generations are the journaled generations of a path.
func (t *topic) generations(path string) []journal.Generation {
	return t.a.journal.At(t.name, path)
}

// byKey is the partition of a path's key; mu is held.
func (t *topic) byKey(path string) int32 {
	return line.Partition(line.AppendKey(nil, t.a.cfg.Host, path), t.info.Partitions)
}

// home is the partition that a stream belongs to now: the input's own, that of its
// generation in the journal for as long as that lives, else its key's. known are the
// path's generations; mu is held.
func (t *topic) home(in *input, path string, known []journal.Generation) (int32, error) {
	if in.Partition != nil {
		if n := *in.Partition; n >= t.info.Partitions {
			return 0, fmt.Errorf("partition %d of topic %s is not there, it has %d: correct the input, or add partitions", n, t.name, t.info.Partitions)
		}
		return *in.Partition, nil
	}
	if in.KeyBy != keyPath {
		return spread, nil
	}
	for _, g := range known {
		if !g.Ended && g.Partition >= 0 && g.Partition < t.info.Partitions {
			return g.Partition, nil
		}
	}
	return t.byKey(path), nil
}

// open1 opens a partition in which nothing is in doubt, nil when ctx has ended; mu is
// held.
func (t *topic) open1(ctx context.Context, n int32) *produce.Partition {
	if p := t.parts[n]; p != nil {
		return p
	}
	at := journal.Partition{Topic: t.name, Number: n}
	st, _ := t.a.journal.Partition(at)
	p := t.a.client.Open(ctx, produce.Opening{At: at, Topic: t.info.ID, State: st, Behind: t.behind, ReadBack: true})
	if p != nil {
		t.parts[n] = p
	}
	return p
}

// lane is the lane to a partition, made and started when it is first asked for, nil when
// ctx has ended; mu is held.
func (t *topic) lane(ctx context.Context, part int32) *lane {
	if l := t.lanes[part]; l != nil {
		return l
	}
	numbers := []int32{part}
	if part == spread {
		numbers = nil
		for n := range t.info.Partitions {
			numbers = append(numbers, n)
		}
	}
	var parts []*produce.Partition
	for _, n := range numbers {
		p := t.open1(ctx, n)
		if p == nil {
			return nil
		}
		parts = append(parts, p)
	}
	l := newLane(t.a, t, part, parts)
	t.lanes[part] = l
	t.a.lanes.Go(func() { l.run(ctx) })
	return l
}

// recount asks how many partitions there are now. A stream moves to where its key says
// when its generation ends; spread lanes use new partitions at once.
func (t *topic) recount(ctx context.Context) {
	info, err := t.a.client.Look(t.name)
	if err != nil || ctx.Err() != nil {
		return
	}
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	if info.Partitions <= t.info.Partitions {
		return
	}
	t.a.log.Info("partitions were added", "topic", t.name, "were", t.info.Partitions, "are", info.Partitions)
	had := t.info.Partitions
	t.info.Partitions = info.Partitions
	for n := had; n < info.Partitions && t.lanes[spread] != nil; n++ {
		l, p := t.lanes[spread], t.open1(ctx, n)
		if p == nil {
			return
		}
		l.tell(func(context.Context) { l.parts = append(l.parts, p) })
	}
	t.a.reconcile(ctx) // streams may have waited for one of the new ones
}
