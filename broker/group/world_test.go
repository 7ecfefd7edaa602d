package group

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memLog is a log in memory whose disk takes lag to sync.
type memLog struct {
	lag time.Duration
	mu  sync.Mutex

	batches [][]byte
	next    record.Offset
	durable record.Offset // next offset that is not durable
	first   record.Offset // start of the log
	full    error         // what Append answers, while set
	broken  error         // what WaitDurable answers, while set
}

func (l *memLog) Append(batch []byte) (first, last record.Offset, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full != nil {
		return 0, 0, l.full
	}
	batch = slices.Clone(batch)
	record.Stamp(batch, l.next, 1)
	h, err := record.ParseHeader(batch)
	if err != nil {
		return 0, 0, err
	}
	l.batches = append(l.batches, batch)
	l.next = h.NextOffset()
	return h.BaseOffset, h.LastOffset(), nil
}

func (l *memLog) AppendMarker(producerID int64, epoch int16, commit bool) (record.Offset, error) {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	b := record.NewBuilder(64)
	b.Append(0, key.AppendTo(nil), (&kmsg.EndTxnMarker{}).AppendTo(nil), 0, nil)
	batch, err := b.Seal(nil, record.Producer{ID: producerID, Epoch: epoch, Sequence: -1}, record.None, 0, 0)
	if err != nil {
		return 0, err
	}
	record.SetMarker(batch)
	_, last, err := l.Append(batch)
	return last, err
}

func (l *memLog) WaitDurable(ctx context.Context, last record.Offset) error {
	l.mu.Lock()
	done, upTo := l.durable > last, l.next
	l.mu.Unlock()
	if done {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(l.lag):
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	l.durable = max(l.durable, upTo)
	return nil
}

func (l *memLog) Replay(ctx context.Context, f func([]byte) error) error {
	l.mu.Lock()
	batches := slices.Clone(l.batches)
	l.mu.Unlock()
	for _, b := range batches {
		if err := f(b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *memLog) DropBefore(offset record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset > l.durable {
		return errors.New("asked to drop before what is durable")
	}
	l.first = max(l.first, offset)
	l.batches = slices.DeleteFunc(l.batches, func(b []byte) bool {
		h, err := record.ParseHeader(b)
		return err == nil && h.NextOffset() <= offset
	})
	return nil
}

// crashed is what a crash leaves: what is durable, and some of the rest, cut at a whole batch as
// recovery does.
func (l *memLog) crashed(keep func() bool) *memLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	after := &memLog{lag: l.lag, first: l.first}
	for _, b := range l.batches {
		h, err := record.ParseHeader(b)
		if err != nil || h.BaseOffset >= l.durable && !keep() {
			break
		}
		after.batches = append(after.batches, b)
		after.next = h.NextOffset()
	}
	after.next = max(after.next, l.first)
	after.durable = after.next
	return after
}

func (l *memLog) size() (bytes, batches int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.batches {
		bytes += len(b)
	}
	return bytes, len(l.batches)
}

func never() bool  { return false }
func always() bool { return true }

// world runs a story about a coordinator in a time of its own.
func world(t *testing.T, cfg Config, story func(t *testing.T, c *Coordinator, log *memLog)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		c, stop := start(t, cfg, log)
		defer stop()
		story(t, c, log)
	})
}

// start loads and runs a coordinator; stop ends it and waits.
func start(t *testing.T, cfg Config, log Log) (c *Coordinator, stop func()) {
	t.Helper()
	c, err := New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run ended with %v", err)
		}
	}
}

const (
	session   = 10 * time.Second
	rebalance = 30 * time.Second
)

// request is an ordinary consumer's JoinGroup.
func request(id ID, member MemberID) JoinRequest {
	return JoinRequest{Group: id, Member: member, ClientID: "app", Host: "/127.0.0.1", Session: session,
		Rebalance: rebalance, ProtocolType: "consumer", Protocols: []Protocol{{Name: "range", Metadata: []byte("m")}}}
}

// joined is the outcome of a join that runs on its own.
type joined struct {
	JoinResult
	err error
}

// joinLater begins a join; its answer arrives on the channel.
func joinLater(t *testing.T, c *Coordinator, r JoinRequest) <-chan joined {
	ch := make(chan joined, 1)
	go func() {
		res, err := c.Join(r).Wait(t.Context())
		ch <- joined{res, err}
	}()
	return ch
}

// mustJoin waits for a join that has to succeed.
func mustJoin(t *testing.T, ch <-chan joined) JoinResult {
	t.Helper()
	j := <-ch
	if j.err != nil {
		t.Fatalf("join: %v", j.err)
	}
	return j.JoinResult
}

// gather makes n members of a stable group, the leader first, each assigned its own name.
func gather(t *testing.T, c *Coordinator, id ID, n int) []JoinResult {
	t.Helper()
	waiting := make([]<-chan joined, n)
	for i := range waiting {
		waiting[i] = joinLater(t, c, request(id, ""))
		synctest.Wait()
	}
	members := make([]JoinResult, n)
	for i := range waiting {
		members[i] = mustJoin(t, waiting[i])
	}
	leader := slices.IndexFunc(members, func(m JoinResult) bool { return m.Leader == m.Member })
	members[0], members[leader] = members[leader], members[0]
	syncAll(t, c, id, members)
	return members
}

// syncAll takes a generation whose leader is members[0] to its assignment.
func syncAll(t *testing.T, c *Coordinator, id ID, members []JoinResult) {
	t.Helper()
	var shares []Assignment
	for _, m := range members {
		shares = append(shares, Assignment{m.Member, []byte(m.Member)})
	}
	for i, m := range members {
		r := SyncRequest{Group: id, Member: m.Member, Generation: m.Generation}
		if i == 0 {
			r.Assignments = shares
		}
		got, err := c.Sync(r).Wait(t.Context())
		if err != nil {
			t.Fatalf("sync of member %d: %v", i, err)
		}
		if string(got.Data) != string(m.Member) {
			t.Fatalf("member %s was assigned %q, want its own name", m.Member, got.Data)
		}
	}
}

// beat expects a heartbeat to answer want.
func beat(t *testing.T, c *Coordinator, id ID, m JoinResult, want error) {
	t.Helper()
	if err := c.Heartbeat(id, m.Member, "", m.Generation); !errors.Is(err, want) {
		t.Fatalf("heartbeat of %s in generation %d: %v, want %v", m.Member, m.Generation, err, want)
	}
}

// commitOne commits one offset of topic "t", partition 0.
func commitOne(t *testing.T, c *Coordinator, id ID, m JoinResult, offset record.Offset) error {
	t.Helper()
	r := CommitRequest{Group: id, Member: m.Member, Generation: m.Generation,
		Offsets: []Commit{{Partition: Partition{"t", 0}, Offset: offset, LeaderEpoch: -1}}}
	if m.Member == "" {
		r.Generation = -1
	}
	c.Commit(r).Wait(t.Context())
	return r.Offsets[0].Err
}

// fetchOne is the committed offset of topic "t", partition 0; -1 for none.
func fetchOne(t *testing.T, c *Coordinator, id ID) record.Offset {
	t.Helper()
	found, err := c.Fetch(FetchRequest{Group: id, All: true})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := found[Partition{"t", 0}]; ok {
		return v.Offset
	}
	return -1
}

// stateOf is the group's state as an administrator sees it; Dead for none.
func stateOf(t *testing.T, c *Coordinator, id ID) State {
	t.Helper()
	d, err := c.Describe(id)
	if errors.Is(err, ErrNotFound) {
		return Dead
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.State
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d); synctest.Wait() }
