package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// The model: members that do anything at any moment share out the partitions 0 to 11 of topic "t". The
// judge holds what the group has promised and complains when it is broken:
//
//   - in one generation each partition belongs to at most one member (a static one under any of its ids);
//   - a generation that anyone has been told of is never followed by a lower one, and one that was assigned
//     not after a crash either;
//   - a commit is refused when its member's generation had ended before it was sent;
//   - what a commit was answered for is what is fetched later, also after a crash;
//   - what a transaction has committed is fetched when it was committed, and never when it was aborted;
//   - nobody waits for longer than the timeouts allow.
const modelPartitions = 12

type judge struct {
	t  *testing.T
	mu sync.Mutex

	newest    Generation                      // anyone was told of
	owners    map[Generation]map[int32]string // as assigned
	committed map[int32]struct {
		at record.Offset
		by Generation
	} // answered last
	commits int
	stale   int

	txns    []*modelTxn // of each producer, an actor's number; nil: none
	visible []map[int32]record.Offset
	ends    int
}

func (j *judge) complain(format string, args ...any) {
	j.t.Errorf(format, args...)
}

// told checks a join's answer; before is the newest generation at the time the join was sent.
func (j *judge) told(g, before Generation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if g < before {
		j.complain("told generation %d, after %d had been known", g, before)
	}
	j.newest = max(j.newest, g)
}

func (j *judge) now() Generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.newest
}

// assigned checks that nobody else has these partitions in this generation.
func (j *judge) assigned(m string, g Generation, partitions []int32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.owners[g] == nil {
		j.owners[g] = map[int32]string{}
	}
	for _, p := range partitions {
		if other, ok := j.owners[g][p]; ok && other != m {
			j.complain("partition %d of generation %d belongs to %s and %s", p, g, other, m)
		}
		j.owners[g][p] = m
	}
}

// stored checks an answered commit.
func (j *judge) stored(p int32, at record.Offset, by, before Generation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if by < before {
		j.complain("a commit of generation %d was taken, and %d had begun before it was sent", by, before)
	}
	if last := j.committed[p]; by >= last.by {
		j.committed[p] = struct {
			at record.Offset
			by Generation
		}{at, by}
	}
	j.commits++
}

// restarted forgets the generations that were begun and not assigned before a crash: the log does not have
// them, and who was told of one joins again, as with Kafka.
func (j *judge) restarted(c *Coordinator) {
	j.mu.Lock()
	defer j.mu.Unlock()
	stored := Generation(0)
	c.acquireForTest("g", func(g *group) bool { stored = g.generation; return true })
	for g := range j.owners {
		if g > stored {
			j.complain("generation %d was assigned, and the log has %d", g, stored)
		}
	}
	j.newest = min(j.newest, stored)
}

// within runs something that waits and complains when it waited too long.
func (j *judge) within(limit time.Duration, what string, f func()) {
	began := time.Now()
	f()
	if d := time.Since(began); d > limit {
		j.complain("%s took %s, at most %s is allowed", what, d, limit)
	}
}

// actor is one member that plays its part badly.
type actor struct {
	j   *judge
	c   *Coordinator
	rng *rand.Rand
	id  ID

	instance InstanceID
	member   MemberID
	gen      Generation
	owned    []int32
	next     record.Offset
	producer int64
}

func (a *actor) live(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(a.rng.IntN(4000)) * time.Millisecond):
			a.step(ctx)
		}
	}
}

func (a *actor) step(ctx context.Context) {
	switch n := a.rng.IntN(100); {
	case a.gen == 0:
		a.join(ctx)
	case n < 38:
		a.commit(ctx, a.member, a.gen)
	case n < 42:
		a.commitInTxn(ctx)
	case n < 45:
		a.endTxn(ctx)
	case n < 50 && a.gen > 1: // someone who missed what has happened
		a.commit(ctx, a.member, a.gen-1)
	case n < 80:
		a.beat()
	case n < 84: // says nothing for a while, perhaps for too long
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(a.rng.IntN(12_000)) * time.Millisecond):
		}
	case n < 88:
		a.c.Leave(a.id, []Leaver{{Member: a.member, Instance: a.instance}})
		a.forget()
	case n < 91: // dies without a word, and is started again
		a.forget()
	default:
		a.join(ctx)
	}
}

func (a *actor) forget() { a.member, a.gen, a.owned = "", 0, nil }

func (a *actor) beat() {
	err := a.c.Heartbeat(a.id, a.member, a.instance, a.gen)
	if errors.Is(err, ErrUnknownMember) || errors.Is(err, ErrFencedInstance) {
		a.forget()
	} else if err != nil {
		a.gen = 0
	}
}

// join goes through the whole way to an assignment, sometimes giving up half-way.
func (a *actor) join(ctx context.Context) {
	a.owned, a.gen = nil, 0
	ctx, cancel := a.patience(ctx)
	defer cancel()
	r := request(a.id, a.member)
	r.Session, r.Rebalance, r.Instance, r.RequireID, r.MaySkip = 6*time.Second, 9*time.Second, a.instance, true, a.rng.IntN(2) == 0
	r.Protocols = []Protocol{{"range", []byte{byte(a.rng.IntN(2))}}, {"sticky", nil}}
	if a.rng.IntN(2) == 0 {
		slices.Reverse(r.Protocols)
	}
	before := a.j.now()
	var res JoinResult
	var err error
	a.j.within(40*time.Second, "a join", func() { res, err = a.c.Join(r).Wait(ctx) })
	if errors.Is(err, ErrMemberIDRequired) {
		a.member = res.Member
		return
	}
	if err != nil {
		if errors.Is(err, ErrUnknownMember) || errors.Is(err, ErrFencedInstance) {
			a.forget()
		}
		return
	}
	a.j.told(res.Generation, before)
	a.member = res.Member
	if a.rng.IntN(20) == 0 {
		return // never asks for its assignment
	}
	a.sync(ctx, res)
}

func (a *actor) sync(ctx context.Context, place JoinResult) {
	r := SyncRequest{Group: a.id, Member: a.member, Instance: a.instance, Generation: place.Generation}
	if place.Leader == place.Member && !place.SkipAssignment && len(place.Members) > 0 {
		r.Assignments = deal(place.Members)
	}
	var res SyncResult
	var err error
	a.j.within(20*time.Second, "a sync", func() { res, err = a.c.Sync(r).Wait(ctx) })
	if err != nil {
		return
	}
	a.gen, a.owned = place.Generation, parse(res.Data)
	who := string(a.member)
	if a.instance != "" {
		who = string(a.instance) // a new self of a static member owns what the former owned
	}
	a.j.assigned(who, a.gen, a.owned)
}

// patience is a context that sometimes ends early, as a connection does.
func (a *actor) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.rng.IntN(8) == 0 {
		return context.WithTimeout(ctx, time.Duration(a.rng.IntN(3000))*time.Millisecond)
	}
	return context.WithCancel(ctx)
}

func (a *actor) commit(ctx context.Context, m MemberID, g Generation) {
	if len(a.owned) == 0 {
		return
	}
	p := a.owned[a.rng.IntN(len(a.owned))]
	a.next++
	before := a.j.now()
	r := CommitRequest{Group: a.id, Member: m, Instance: a.instance, Generation: g, Offsets: []Commit{
		{Partition: Partition{"t", p}, Offset: a.next, Metadata: strconv.Itoa(int(g))}}}
	a.c.Commit(r).Wait(ctx)
	switch err := r.Offsets[0].Err; {
	case err == nil:
		a.j.stored(p, a.next, g, before)
	case errors.Is(err, ErrIllegalGeneration) || errors.Is(err, ErrUnknownMember) || errors.Is(err, ErrFencedInstance):
		a.j.mu.Lock()
		a.j.stale++
		a.j.mu.Unlock()
		a.gen = 0
	}
}

// deal shares the partitions out, one after the other.
func deal(members []JoinedMember) []Assignment {
	shares := make([][]string, len(members))
	for p := range modelPartitions {
		shares[p%len(members)] = append(shares[p%len(members)], strconv.Itoa(p))
	}
	var list []Assignment
	for i, m := range members {
		list = append(list, Assignment{m.ID, []byte(strings.Join(shares[i], ","))})
	}
	return list
}

func parse(data []byte) (list []int32) {
	for _, s := range strings.Split(string(data), ",") {
		if n, err := strconv.Atoi(s); err == nil {
			list = append(list, int32(n))
		}
	}
	return list
}

func TestModelOfAGroupUnderRandomMembers(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playModel(t, seed) })
		})
	}
}

// playModel lets eight actors, two of them static, act through four lives of the broker.
func playModel(t *testing.T, seed uint64) {
	j := &judge{t: t, owners: map[Generation]map[int32]string{}, committed: map[int32]struct {
		at record.Offset
		by Generation
	}{}, txns: make([]*modelTxn, 8)}
	for range 8 {
		j.visible = append(j.visible, map[int32]record.Offset{})
	}
	log := &memLog{lag: 5 * time.Millisecond}
	var actors []*actor
	for i := range uint64(8) {
		a := &actor{j: j, rng: rand.New(rand.NewPCG(seed, i)), id: "g", next: record.Offset(i) * 1_000_000, producer: int64(i)}
		if i < 2 {
			a.instance = InstanceID(fmt.Sprint("static-", i))
		}
		actors = append(actors, a)
	}
	for range 4 {
		c, stop := start(t, Config{RewriteBytes: 64 << 10, MinSession: time.Second}, log)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		j.restarted(c)
		var all sync.WaitGroup
		for _, a := range actors {
			a.c = c
			all.Go(func() { a.live(ctx) })
		}
		all.Wait()
		cancel()
		pass(time.Second) // what was given up on lands or not
		checkStored(t, c, j)
		for _, a := range actors {
			if j.txns[a.producer] == nil {
				a.checkTxn()
			}
		}
		log = log.crashed(always)
		stop()
	}
	c, stop := start(t, Config{}, log)
	defer stop()
	checkStored(t, c, j)
	for _, a := range actors { // what a crash has left open can still be ended
		a.c = c
		for j.txns[a.producer] != nil {
			a.endTxn(t.Context())
		}
		a.checkTxn()
	}
	if j.ends < 100 {
		t.Errorf("%d transactions have ended", j.ends)
	}
	if j.commits < 500 || j.stale < 20 || j.newest < 50 {
		t.Errorf("the story was too quiet to tell: %d commits, %d refused, %d generations", j.commits, j.stale, j.newest)
	}
}

// checkStored compares what is fetched with what was answered. A commit that was given up on may stand
// in its place, of the same generation or a later one, and nothing older.
func checkStored(t *testing.T, c *Coordinator, j *judge) {
	t.Helper()
	found, err := c.Fetch(FetchRequest{Group: "g", All: true})
	if err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range slices.Sorted(maps.Keys(j.committed)) {
		want := j.committed[p]
		got, ok := found[Partition{"t", p}]
		by, _ := strconv.Atoi(got.Metadata)
		if !ok || Generation(by) < want.by || Generation(by) == want.by && got.Offset < want.at {
			t.Errorf("partition %d is at %d of generation %d, and %d of generation %d was answered", p, got.Offset, by, want.at, want.by)
		}
	}
}
