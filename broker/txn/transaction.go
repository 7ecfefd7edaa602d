package txn

import (
	"math"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
)

// ID is a transactional.id as a producer's configuration says it: "orders-7".
type ID string

// Producer is who writes: one id in one epoch. A higher epoch fences the lower ones.
type Producer struct {
	ID    ProducerID
	Epoch int16
}

// nobody is no producer, as the wire says it.
var nobody = Producer{ID: -1, Epoch: -1}

// lastEpoch is the highest that a producer gets; the one above is for fencing it. After that a new id is taken.
const lastEpoch = math.MaxInt16 - 1

// Partition is one partition of a topic.
type Partition struct {
	Topic string
	Index int32
}

// transaction is what is known of one transactional id: its producer and its current or last transaction.
type transaction struct {
	id    ID
	c     *Coordinator
	leave func() // exit, made once, so that Enter allocates nothing

	mu        sync.Mutex // guards what follows
	state     State
	producer  Producer
	previous  ProducerID // had the id before, when its epochs were used up; -1: nobody
	lastEpoch int16      // which InitProducerId raised to producer.Epoch, so that it may be asked again; -1: none
	timeout   time.Duration
	started   int64 // ms since 1970, of the current or last transaction; -1: none yet
	updated   int64 // ms since 1970
	// partitions the transaction spans. A batch may go into one when it is true: stored on the disk.
	partitions map[Partition]bool
	inside     int           // batches that were let in and are being appended
	quiet      chan struct{} // closed when inside falls to 0; nil: nobody waits
	ended      chan struct{} // closed when the transaction that is being ended has ended
	warned     bool          // that its end does not come

	told map[Partition]bool // have the end on the disk; of the goroutine that ends the transaction (complete.go)
}

func newTransaction(c *Coordinator, id ID) *transaction {
	t := &transaction{id: id, c: c, producer: nobody, previous: -1, lastEpoch: -1, started: -1, partitions: map[Partition]bool{}}
	t.leave = t.exit
	return t
}

// image is the part of a transaction that is stored; it is put back when the log does not take a change.
type image struct {
	state            State
	producer         Producer
	previous         ProducerID
	lastEpoch        int16
	timeout          time.Duration
	started, updated int64
}

func (t *transaction) image() image {
	return image{t.state, t.producer, t.previous, t.lastEpoch, t.timeout, t.started, t.updated}
}

func (t *transaction) restore(i image) {
	t.state, t.producer, t.previous, t.lastEpoch = i.state, i.producer, i.previous, i.lastEpoch
	t.timeout, t.started, t.updated = i.timeout, i.started, i.updated
}

// store appends the transaction as it is now; done, which takes no lock that the caller has, hears when that is durable.
// When the log refuses, the transaction is as it was before.
func (t *transaction) store(before image, done func(error)) error {
	t.updated = time.Now().UnixMilli()
	err := t.c.writer.Append([]statelog.Entry{{Key: encodeKey(t.id), Value: encodeValue(t)}}, done)
	if err != nil {
		t.restore(before)
	}
	return err
}

// names are the partitions, in no order.
func (t *transaction) names() []Partition {
	list := make([]Partition, 0, len(t.partitions))
	for p := range t.partitions {
		list = append(list, p)
	}
	return list
}

// exhausted says whether the producer's id has no epoch left.
func (t *transaction) exhausted() bool { return t.producer.Epoch >= lastEpoch }
