package produce

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
)

// Config says where batches go and how hard the way there is tried.
type Config struct {
	// Kafka names the cluster.
	Kafka kafka.Config
	// Journal learns of every acknowledgement and of every change of a batch.
	Journal Journal
	// Framer makes batches again.
	Framer Framer
	// InFlight is how many batches of one partition are on the wire or waiting for
	// it, 1 to 5: a broker remembers five. Default 5.
	InFlight int
	// Requests is how many requests wait for their answers on one connection.
	// Default 5.
	Requests int
	// RequestBytes is how much one request carries at most, unless a single batch
	// is larger. Default 1 MiB, which every broker takes.
	RequestBytes int
	// BackoffMin and BackoffMax bound the wait between two tries, which doubles and
	// is scattered. Default 50 ms and 5 s.
	BackoffMin, BackoffMax time.Duration
	// BackoffStuck is the wait after a refusal that only a person can mend.
	// Default 15 s.
	BackoffStuck time.Duration
	// Acked is told of each acknowledged batch: records, bytes on the wire, and the
	// time since it was first sent. It must not block. Default: nobody.
	Acked func(records, bytes int, took time.Duration)
	// Doubled is told of each batch that is sent again without proof that it is missing.
	// It must not block. Default: nobody.
	Doubled func(e *journal.Entry)
	// Abandoned is told of each batch that is given up as Abandon asked. It must not
	// block. Default: nobody.
	Abandoned func(e *journal.Entry)
	// Logger gets one line a trouble. Default: none.
	Logger *slog.Logger
}

// Journal is what sending asks of the journal; *journal.Journal is one.
type Journal interface {
	Done(seq journal.Seq, offset record.Offset)
	Replace(old []journal.Seq, fresh []*journal.Entry) error
	Lost(seq journal.Seq, n int64)
	Bind(cluster string, producer int64) error
	Cluster() string
	Producer() int64
}

// ErrDiffers says that the files no longer give the batch that was journaled.
var ErrDiffers = errors.New("the files no longer hold what was journaled")

// ErrTooSmall says that a batch of one record cannot be split.
var ErrTooSmall = errors.New("a single record cannot be split")

// Framer makes batches again: from the files after a crash, or in two.
type Framer interface {
	// Rebuild makes the bytes of a batch of an earlier life, sealed for e.Producer:
	// the same records, or an error that wraps ErrDiffers.
	Rebuild(e *journal.Entry) ([]byte, error)
	// Reframe makes anew what the files still hold of a batch's ranges, and says how
	// many bytes they no longer do. The parts' producers are the caller's to set.
	Reframe(e *journal.Entry) (parts []Part, lost int64, err error)
	// Split makes two batches of one; ErrTooSmall when it has a single record.
	Split(e *journal.Entry, sealed []byte) ([]Part, error)
	// Found takes over a stored batch that no batch of the journal is: of our producer
	// id, or, ours false, perhaps of this host. It answers how many of its records may
	// be sent once more all the same, because reading has gone on already.
	Found(at journal.Partition, batch []byte, ours bool) (doubles int64, err error)
}

// Part is a batch made again: its entry, and its sealed bytes.
type Part struct {
	Entry *journal.Entry
	Bytes []byte
}

func (c Config) withDefaults() Config {
	if c.InFlight == 0 {
		c.InFlight = 5
	}
	if c.Requests == 0 {
		c.Requests = 5
	}
	if c.RequestBytes == 0 {
		c.RequestBytes = 1 << 20
	}
	if c.BackoffMin == 0 {
		c.BackoffMin = 50 * time.Millisecond
	}
	if c.BackoffMax == 0 {
		c.BackoffMax = 5 * time.Second
	}
	if c.BackoffStuck == 0 {
		c.BackoffStuck = 15 * time.Second
	}
	if c.Acked == nil {
		c.Acked = func(int, int, time.Duration) {}
	}
	if c.Doubled == nil {
		c.Doubled = func(*journal.Entry) {}
	}
	if c.Abandoned == nil {
		c.Abandoned = func(*journal.Entry) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate lists every complaint about c.
func (c Config) Validate() error {
	errs := []error{c.Kafka.Validate()}
	if c.Journal == nil || c.Framer == nil {
		errs = append(errs, errors.New("Journal and Framer must be given"))
	}
	if c.InFlight < 0 || c.InFlight > 5 {
		errs = append(errs, fmt.Errorf("InFlight (%d) must be 1 to 5", c.InFlight))
	}
	if c.BackoffMax < c.BackoffMin && c.BackoffMax != 0 {
		errs = append(errs, fmt.Errorf("BackoffMax (%s) must not be below BackoffMin (%s)", c.BackoffMax, c.BackoffMin))
	}
	return errors.Join(errs...)
}
