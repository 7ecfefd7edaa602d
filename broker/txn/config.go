package txn

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// MaxIDBytes is the longest transactional id taken, in bytes. Kafka has no limit but that of its strings.
const MaxIDBytes = 4096

// Config steers a Coordinator. Zero fields take the default in brackets.
type Config struct {
	// MaxTimeout is the longest transaction timeout a producer may ask for (transaction.max.timeout.ms) [15 min].
	MaxTimeout time.Duration
	// Expiration is how long a transactional id is kept that nobody uses (transactional.id.expiration.ms) [7 days].
	Expiration time.Duration
	// AbortCheck is the time between two looks for transactions that take too long
	// (transaction.abort.timed.out.transaction.cleanup.interval.ms) [10 s].
	AbortCheck time.Duration
	// ExpireCheck is the time between two looks for ids to forget
	// (transaction.remove.expired.transaction.cleanup.interval.ms) [1 h].
	ExpireCheck time.Duration
	// Epoch is written into markers: the coordinator's, one more at each start of the broker.
	Epoch int32
	// EndPatience is how long EndTxn is answered later than it could be so that the transaction's records can be read
	// by then; when it is over the end goes on behind the answer [1 s].
	EndPatience time.Duration
	// RetryPause is the time before a marker that could not be written is tried again [1 s].
	RetryPause time.Duration
	// MaxBytes bounds what ids and partitions take in memory, in bytes [256 MiB].
	MaxBytes int64
	// RewriteBytes is how much the log may grow before its live state is written anew and the rest
	// dropped; never less than twice the live state [16 MiB].
	RewriteBytes int64
	// Logger takes what an operator should know; nil discards.
	Logger *slog.Logger
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	def(&c.MaxTimeout, 15*time.Minute)
	def(&c.Expiration, 7*24*time.Hour)
	def(&c.AbortCheck, 10*time.Second)
	def(&c.ExpireCheck, time.Hour)
	def(&c.EndPatience, time.Second)
	def(&c.RetryPause, time.Second)
	def(&c.MaxBytes, 256<<20)
	def(&c.RewriteBytes, 16<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate lists every complaint about the fields; zero fields are fine.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	positive := func(name string, v int64) {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("%s (%d) must be above 0", name, v))
		}
	}
	positive("MaxTimeout", int64(c.MaxTimeout))
	positive("Expiration", int64(c.Expiration))
	positive("AbortCheck", int64(c.AbortCheck))
	positive("ExpireCheck", int64(c.ExpireCheck))
	positive("EndPatience", int64(c.EndPatience))
	positive("RetryPause", int64(c.RetryPause))
	positive("MaxBytes", c.MaxBytes)
	positive("RewriteBytes", c.RewriteBytes)
	return errors.Join(errs...)
}
