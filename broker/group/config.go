package group

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/loghaul/loghaul/broker/group/assign"
)

// MaxIDBytes is the longest group id taken, in bytes. Kafka has no limit but that of its strings.
const MaxIDBytes = 4096

// Config steers a Coordinator. Zero fields take the default in brackets.
type Config struct {
	// MinSession and MaxSession bound the session timeout that a member may ask for
	// (group.min.session.timeout.ms [6 s], group.max.session.timeout.ms [30 min]).
	MinSession, MaxSession time.Duration
	// InitialDelay is how long the first member of an empty group waits for others, prolonged while more
	// come (group.initial.rebalance.delay.ms) [100 ms; negative: none]. Members started together reach
	// the broker within some ten milliseconds of each other; with 100 ms they meet in one generation, and
	// nobody notices the wait. Without it the second would stop the first again after one heartbeat
	// interval (3 s); Kafka's own 3 s would be felt at each start.
	InitialDelay time.Duration
	// MaxMembers bounds one group's members (group.max.size) [10000].
	MaxMembers int
	// ConsumerSession is how long a member of a consumer group (KIP-848) may say nothing
	// (group.consumer.session.timeout.ms) [45 s].
	ConsumerSession time.Duration
	// ConsumerInterval is the time between two heartbeats that such a member is told
	// (group.consumer.heartbeat.interval.ms) [5 s].
	ConsumerInterval time.Duration
	// ConsumerTimes says both for one group, which may have times of its own and may get others at any moment; nil: the
	// two above count for all groups.
	ConsumerTimes func(group string) (session, interval time.Duration)
	// MaxConsumers bounds the members of one consumer group (group.consumer.max.size) [10000].
	MaxConsumers int
	// Assigners are the ways of assigning that a consumer group's members may wish for, by the names in assign.ByName;
	// the first is for those who wish nothing (group.consumer.assignors) ["uniform", "range"].
	Assigners []string
	// PatternRefresh is how long what a regular expression finds is believed while the topics stay the same: what
	// members may see can change (group.consumer.regex.refresh.interval.ms) [10 min].
	PatternRefresh time.Duration
	// Topics tells the consumer groups which topics there are; nil: none.
	Topics Topics
	// MaxMemberBytes bounds what all groups hold beside their offsets: names, members, subscriptions, assignments, in
	// bytes [256 MiB].
	MaxMemberBytes int64
	// MaxOffsetBytes bounds the committed offsets of all groups in memory, in bytes [256 MiB].
	MaxOffsetBytes int64
	// MaxMetadata bounds the metadata of one commit, in bytes (offset.metadata.max.bytes) [4096; negative: none].
	MaxMetadata int
	// MaxRecord bounds one record of the log, in bytes; a group's assignments are one record [16 MiB].
	MaxRecord int
	// Retention is how long offsets outlive the group's last member, or their commit where the group
	// never had members (offsets.retention.minutes) [7 days].
	Retention time.Duration
	// RetentionCheck is the time between two looks for offsets to forget (offsets.retention.check.interval.ms) [10 min].
	RetentionCheck time.Duration
	// RewriteBytes is how much the log may grow before its live state is written anew and the rest
	// dropped; never less than twice the live state [16 MiB].
	RewriteBytes int64
	// Now is the time by which offsets grow old; nil: the wall clock.
	Now func() time.Time
	// Logger takes what an operator should know; nil discards.
	Logger *slog.Logger
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	def(&c.MinSession, 6*time.Second)
	def(&c.MaxSession, 30*time.Minute)
	def(&c.InitialDelay, 100*time.Millisecond)
	def(&c.MaxMembers, 10_000)
	def(&c.ConsumerSession, 45*time.Second)
	def(&c.ConsumerInterval, 5*time.Second)
	def(&c.MaxConsumers, 10_000)
	def(&c.PatternRefresh, 10*time.Minute)
	if len(c.Assigners) == 0 {
		c.Assigners = []string{"uniform", "range"}
	}
	def(&c.MaxMemberBytes, 256<<20)
	if c.Topics == nil {
		c.Topics = noTopics{}
	}
	def(&c.MaxOffsetBytes, 256<<20)
	def(&c.MaxMetadata, 4096)
	def(&c.MaxRecord, 16<<20)
	def(&c.Retention, 7*24*time.Hour)
	def(&c.RetentionCheck, 10*time.Minute)
	def(&c.RewriteBytes, 16<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
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
	positive("MinSession", int64(c.MinSession))
	positive("MaxMembers", int64(c.MaxMembers))
	positive("ConsumerSession", int64(c.ConsumerSession))
	positive("ConsumerInterval", int64(c.ConsumerInterval))
	positive("MaxConsumers", int64(c.MaxConsumers))
	positive("PatternRefresh", int64(c.PatternRefresh))
	positive("MaxMemberBytes", c.MaxMemberBytes)
	positive("MaxOffsetBytes", c.MaxOffsetBytes)
	positive("MaxRecord", int64(c.MaxRecord))
	positive("Retention", int64(c.Retention))
	positive("RetentionCheck", int64(c.RetentionCheck))
	positive("RewriteBytes", c.RewriteBytes)
	for _, name := range c.Assigners {
		if assign.ByName[name] == nil {
			errs = append(errs, fmt.Errorf("Assigners (%s) must be uniform or range", name))
		}
	}
	if c.MaxSession < c.MinSession {
		errs = append(errs, fmt.Errorf("MaxSession (%s) must not be below MinSession (%s)", c.MaxSession, c.MinSession))
	}
	return errors.Join(errs...)
}

// noTopics is a broker without topics.
type noTopics struct{}

func (noTopics) Lookup(string) (id TopicID, partitions int32, ok bool) { return id, 0, false }
func (noTopics) Name(TopicID) (string, bool)                           { return "", false }
func (noTopics) Names() []string                                       { return nil }
