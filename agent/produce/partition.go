package produce

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/record"
)

// Batch is one sealed batch on its way. Its bytes belong to the room from Send until
// Done is called.
type Batch struct {
	Entry *journal.Entry
	Bytes []byte // nil for a batch of an earlier life: made from the files when needed
	// Done is called once, when the batch is acknowledged or given up; nil: nobody
	// cares. It must not block.
	Done func()
}

// flight is a batch that is not acknowledged.
type flight struct {
	Batch
	onWire  bool // sent and not answered
	touched bool // it may have reached a log: sent, and never refused for certain
	again   bool // it was sent more than once
	alone   bool // of an earlier life: sent by itself during recovery
	large   bool // refused as too large
	doubted bool // counted as possibly doubled before it was sent again
	first   time.Time
}

// Partition is the way to one partition. Batches are acknowledged in the order in
// which they were sent; any number of goroutines may send.
type Partition struct {
	c    *Client
	at   journal.Partition
	turn chan struct{} // holds one token; who has it says what comes next in the sequence
	wake chan struct{} // run looks again; capacity 1
	kick chan struct{} // run waits no longer for its next try; capacity 1

	// mu may be taken while a link's is held, never the other way round.
	mu struct {
		sync.Mutex
		topicID     journal.TopicID
		id          int64           // the producer id of this life
		next        record.Producer // of the next batch
		flights     []*flight       // oldest first
		wired       int             // of them, on the wire
		window      int             // how many there may be
		link        *link           // sends for us; nil: stopped
		cause       error           // why it was stopped
		what        verdict         // what that means
		unsure      bool            // the broker must be asked before anything is sent
		firm        bool            // a batch of this id and epoch is acknowledged since the broker was last asked
		fenced      bool            // our producer id is of no use here any more
		open        bool            // recovery is done, new batches are welcome
		changed     chan struct{}   // closed and made anew at every change that Reserve waits for
		highest     record.Offset   // the highest acknowledged offset of this id and epoch
		floor       record.Offset   // what the journal may not know of ours lies above it; -1: anywhere
		moved       bool            // the journal was copied: others may have sent for us under another id
		behind      bool            // the journal may be older than the log: sequences that it takes for free may be used
		readBack    bool            // and what it does not know was found already
		since       time.Time       // from when on, where the floor does not say it; zero: ever
		looked      int             // times that the log was read in vain, and since when
		lookedSince time.Time
		lookedFor   *flight                   // the batch that it was read for,
		lookedTo    record.Offset             // and how far
		trouble     error                     // what stands in the way now
		attempts    int                       // since the last acknowledgement
		refused     int                       // times that the confirming batch was refused
		abandon     func(*journal.Entry) bool // what is to be given up; nil: nothing
	}
}

// Opening says where the journal stands with a partition.
type Opening struct {
	At    journal.Partition
	Topic journal.TopicID // as the cluster has it now
	State journal.PartitionState
	// Doubt are the batches of an earlier life that are not acknowledged, in order.
	Doubt []*journal.Entry
	// Moved says that another copy of the journal may have gone on.
	Moved bool
	// Behind says that the journal may be older than what was sent. ReadBack says that
	// what it did not know was found without us.
	Behind, ReadBack bool
	// Since is from when on there may be batches that the journal does not know, where
	// it knows nothing of the partition; the zero time: ever.
	Since time.Time
}

// Open takes up a partition. What an earlier life left in doubt is settled before
// anything new is sent; the leader is asked unless the producer id is so new that
// nobody can have used it. Opened again, it is the same Partition. nil: ctx ended.
func (c *Client) Open(ctx context.Context, o Opening) *Partition {
	c.mu.Lock()
	p := c.mu.parts[o.At]
	fresh := p == nil
	if fresh {
		p = c.newPartition(o)
		c.mu.parts[o.At] = p
	}
	c.mu.Unlock()
	if fresh {
		c.count(len(o.Doubt))
		if !c.start(ctx, p.run) {
			return nil
		}
	}
	return p
}

func (c *Client) newPartition(o Opening) *Partition {
	p := &Partition{c: c, at: o.At, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), kick: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	p.mu.window, p.mu.changed = c.cfg.InFlight, make(chan struct{})
	st, id, used := o.State, c.cfg.Journal.Producer(), !c.renewed.Load()
	known := st.Producer.ID >= 0
	if known && used {
		id = st.Producer.ID // which this partition may have taken for itself
	}
	p.mu.id, p.mu.moved, p.mu.since = id, o.Moved, o.Since
	p.mu.behind, p.mu.readBack = o.Behind && used, o.ReadBack
	p.mu.topicID, p.mu.next, p.mu.highest, p.mu.floor = st.TopicID, st.Producer, st.Offset, st.Floor
	if len(o.Doubt) == 0 && (!known || st.TopicID != o.Topic) {
		// Nothing of us is in this topic: begin at 0.
		p.mu.next = record.Producer{ID: id}
		if st.Producer.ID == id {
			p.mu.next.Epoch = st.Producer.Epoch + 1
		}
		p.mu.topicID, p.mu.highest, p.mu.floor = o.Topic, -1, -1
		known = false
	}
	p.mu.unsure = len(o.Doubt) > 0 || used || known || o.Moved
	p.mu.open = !p.mu.unsure
	for _, e := range o.Doubt {
		p.mu.flights = append(p.mu.flights, &flight{Batch: Batch{Entry: e}, touched: true, alone: true, first: e.Begun})
	}
	return p
}

// Turn is the right to send the next batch of a partition.
type Turn struct {
	p *Partition
	// Producer is what the batch must be sealed and journaled with.
	Producer record.Producer
	// TopicID is what its entry must carry.
	TopicID journal.TopicID
}

// Reserve waits until the partition takes another batch, and gives the caller the
// turn, which ends with Send or Cancel and must be short.
func (p *Partition) Reserve(ctx context.Context) (*Turn, error) {
	for {
		if t, changed := p.try(); t != nil {
			return t, nil
		} else if err := wait(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// Changed is closed when Try may answer otherwise than it does now. It is asked for
// before Try.
func (p *Partition) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.changed
}

// Try is Reserve for those who do not want to wait: nil when the partition takes no
// batch now.
func (p *Partition) Try() *Turn {
	t, _ := p.try()
	return t
}

// try takes the turn if there is room; else it answers what to wait for.
func (p *Partition) try() (*Turn, <-chan struct{}) {
	p.mu.Lock()
	room, changed := p.mu.open && len(p.mu.flights) < p.mu.window, p.mu.changed
	p.mu.Unlock()
	if !room {
		return nil, changed
	}
	select {
	case <-p.turn:
	default:
		return nil, changed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.open || len(p.mu.flights) >= p.mu.window {
		p.turn <- struct{}{} // never blocks: the token is ours
		return nil, p.mu.changed
	}
	return &Turn{p, p.mu.next, p.mu.topicID}, nil
}

// Cancel gives the turn back unused.
func (t *Turn) Cancel() { t.p.giveBack() }

// Send puts a batch on its way that was sealed and journaled for this turn.
func (t *Turn) Send(b Batch) {
	p := t.p
	p.c.count(1)
	p.mu.Lock()
	p.mu.next.Sequence = record.AddSequence(b.Entry.Producer.Sequence, b.Entry.Count)
	p.mu.flights = append(p.mu.flights, &flight{Batch: b, first: time.Now()})
	l := p.mu.link
	p.mu.Unlock()
	if l != nil {
		l.enqueue(p)
	}
	p.giveBack()
}

func (p *Partition) giveBack() {
	p.turn <- struct{}{}
	p.mu.Lock()
	p.announce()
	p.mu.Unlock()
}

// announce wakes whoever waits in Reserve; p.mu is held.
func (p *Partition) announce() {
	close(p.mu.changed)
	p.mu.changed = make(chan struct{})
}

// Trouble is what stands in the way of this partition now, nil when nothing does; a
// *Stuck needs a person.
func (p *Partition) Trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.trouble
}

// InFlight is the number of batches that are sent and not acknowledged.
func (p *Partition) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.flights)
}

// Settled returns when nothing of an earlier life is in doubt any more.
func (p *Partition) Settled(ctx context.Context) error {
	for {
		p.mu.Lock()
		open, changed := p.mu.open, p.mu.changed
		p.mu.Unlock()
		if open {
			return nil
		}
		if err := wait(ctx, changed); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take gives a link the next batch that is not on the wire, if it fits into room
// bytes; more says whether others wait behind it.
func (p *Partition) take(l *link, room int) (s send, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.link != l {
		return send{}, false
	}
	if !p.mu.firm && p.mu.wired > 0 {
		// A broker that knows nothing of us takes any sequence for the first: were the
		// first refused and the next one not, it would have to come behind it.
		return send{}, false
	}
	i := slices.IndexFunc(p.mu.flights, func(f *flight) bool { return !f.onWire && f.Bytes != nil })
	if i < 0 {
		return send{}, false
	}
	f := p.mu.flights[i]
	if len(f.Bytes) > room {
		return send{}, true
	}
	f.onWire, f.again, f.touched = true, f.touched, true
	p.mu.wired++
	return send{p, f, f.Bytes}, i+1 < len(p.mu.flights)
}
