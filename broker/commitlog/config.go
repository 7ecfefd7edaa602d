package commitlog

import (
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

// Config steers one log. SetConfig changes all but LeaderEpoch, Now, Logger, Cut
// and Disk while it runs.
type Config struct {
	SegmentBytes     int64            // roll before a segment grows past this many bytes; 0: 1 GiB
	SegmentAge       time.Duration    // roll when the segment's first append is older, by the wall clock; 0: 7 days
	IndexInterval    int              // bytes of log between two index entries; 0: 4096
	Compact          bool             // keep the latest record of each key only, in what is sealed
	DirtyRatio       float64          // compact when more than this share of the bytes has not been compacted yet
	CompactionLag    time.Duration    // leave a segment alone whose last append is younger
	MaxCompactionLag time.Duration    // compact whatever DirtyRatio says when a segment's first append is older; 0 or less: no limit
	DeleteRetention  time.Duration    // keep a key's deletion and a transaction's marker this long after a compaction first met them
	CompactionBytes  int              // memory for the keys of one compaction; 0: 128 MiB
	RetentionBytes   int64            // delete oldest segments while the log stays at least this big; 0 or less: no limit
	RetentionAge     time.Duration    // delete a segment whose last append is older, by the wall clock; 0 or less: no limit
	ProducerExpiry   time.Duration    // forget an idempotent producer this long after its last append; 0: 7 days
	MaxProducers     int              // idempotent producers remembered, the longest silent go first; 0: 20000, about 4 MB
	LeaderEpoch      int32            // stamped into batches; a lower one than the log has seen is raised to that
	RecheckBytes     int64            // how far before the recovery point Open checks again after a crash; 0: 16 MiB
	Later            bool             // what Open begins, or finds unsynced, on the Syncer's WholeDisk the caller makes durable, with others, before anybody uses it
	Now              func() time.Time // the wall clock; nil: time.Now
	Foreign          bool             // another program wrote it: only its last file is cut, damage elsewhere is refused
	Aging            func() time.Time // by which Open counts ages, as Retain's caller does; nil: Now
	Logger           *slog.Logger     // nil: discard
	Cut              func(Cut)        // told what recovery cut; nil: Logger at level error
	Deleted          func(Deletion)   // told what went from the log's beginning, without locks held; nil: nobody
	Disk             disk.FS          // where the files live; nil: the real disk
}

// Defaults are Kafka's, but on the wall clock and without a size limit.
func Defaults() Config {
	return Config{
		SegmentBytes:    1 << 30,
		SegmentAge:      7 * 24 * time.Hour,
		IndexInterval:   4096,
		RetentionBytes:  -1,
		RetentionAge:    7 * 24 * time.Hour,
		ProducerExpiry:  7 * 24 * time.Hour,
		MaxProducers:    20000,
		DirtyRatio:      0.5,
		DeleteRetention: 24 * time.Hour,
		CompactionBytes: 128 << 20,
	}
}

// Validate lists every complaint; zero values stand for defaults and are fine.
func (c Config) Validate() error {
	var bad []string
	if c.SegmentBytes < 0 || c.SegmentBytes > math.MaxInt32 {
		bad = append(bad, fmt.Sprintf("SegmentBytes (%d) must be between 1 and %d", c.SegmentBytes, math.MaxInt32))
	}
	if c.SegmentAge < 0 {
		bad = append(bad, fmt.Sprintf("SegmentAge (%s) must not be negative", c.SegmentAge))
	}
	if c.IndexInterval < 0 {
		bad = append(bad, fmt.Sprintf("IndexInterval (%d) must not be negative", c.IndexInterval))
	}
	if c.DirtyRatio < 0 || c.DirtyRatio > 1 {
		bad = append(bad, fmt.Sprintf("DirtyRatio (%g) must be between 0 and 1", c.DirtyRatio))
	}
	if c.CompactionLag < 0 || c.DeleteRetention < 0 {
		bad = append(bad, fmt.Sprintf("CompactionLag (%s) and DeleteRetention (%s) must not be negative", c.CompactionLag, c.DeleteRetention))
	}
	if c.CompactionBytes < 0 {
		bad = append(bad, fmt.Sprintf("CompactionBytes (%d) must not be negative", c.CompactionBytes))
	}
	if c.ProducerExpiry < 0 {
		bad = append(bad, fmt.Sprintf("ProducerExpiry (%s) must not be negative", c.ProducerExpiry))
	}
	if c.RecheckBytes < 0 {
		bad = append(bad, fmt.Sprintf("RecheckBytes (%d) must not be negative", c.RecheckBytes))
	}
	if c.MaxProducers < 0 {
		bad = append(bad, fmt.Sprintf("MaxProducers (%d) must not be negative", c.MaxProducers))
	}
	if bad != nil {
		return fmt.Errorf("commit log configuration: %s", strings.Join(bad, "; "))
	}
	return nil
}

// filled puts the defaults in place of zero values.
func (c Config) filled() Config {
	d := Defaults()
	if c.SegmentBytes == 0 {
		c.SegmentBytes = d.SegmentBytes
	}
	if c.SegmentAge == 0 {
		c.SegmentAge = d.SegmentAge
	}
	if c.IndexInterval == 0 {
		c.IndexInterval = d.IndexInterval
	}
	if c.ProducerExpiry == 0 {
		c.ProducerExpiry = d.ProducerExpiry
	}
	if c.MaxProducers == 0 {
		c.MaxProducers = d.MaxProducers
	}
	if c.RecheckBytes == 0 {
		c.RecheckBytes = recheckBytes
	}
	if c.CompactionBytes == 0 {
		c.CompactionBytes = d.CompactionBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Aging == nil {
		c.Aging = c.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Disk == nil {
		c.Disk = disk.Real{}
	}
	if c.Cut == nil {
		logger := c.Logger
		c.Cut = func(cut Cut) { logger.Error(cut.String()) }
	}
	return c
}

// rollAge is how old the active segment may grow: what is to be compacted in time
// must be sealed in time.
func (c *Config) rollAge() time.Duration {
	if c.Compact && c.MaxCompactionLag > 0 {
		return min(c.SegmentAge, c.MaxCompactionLag)
	}
	return c.SegmentAge
}

// SetConfig changes sizes, ages and limits from the next append on; LeaderEpoch,
// Now, Logger, Cut and Disk stay.
func (l *Log) SetConfig(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.mu.cfg
	cfg.LeaderEpoch, cfg.Now, cfg.Logger, cfg.Cut, cfg.Disk = old.LeaderEpoch, old.Now, old.Logger, old.Cut, old.Disk
	cfg.Deleted = old.Deleted
	l.mu.cfg = cfg.filled()
	return nil
}
