package topics

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
)

// Effective is what a topic's settings come to, its own over the broker's.
type Effective struct {
	MaxMessage      int           // largest batch in bytes, as it is stored
	AppendTime      bool          // the broker times the records
	Recompress      bool          // batches are stored in Compression, whatever the producer chose
	Compression     record.Codec  // of Recompress
	Level           record.Level  // of Compression
	DownConvert     bool          // Fetch versions that cannot carry the stored format get it converted
	TimestampBefore time.Duration // a record's time may lie so far behind the broker's; less than 0: any
	TimestampAfter  time.Duration // and so far ahead of it; less than 0: any
	Delete          bool          // old segments are deleted by age and size
	Compact         bool          // only the latest value of each key is kept
	DirtyRatio      float64       // of Compact: the share of bytes not yet compacted that makes it worth while
	DeleteRetention time.Duration // of Compact: how long a key without a value is kept
	CompactionLag   time.Duration // of Compact: records younger than this are left alone
	CompactionLimit time.Duration // of Compact: records older than this are compacted whatever DirtyRatio says; less than 0: no limit
	Log             commitlog.Config
}

// effective puts a topic's own settings over the broker's.
func (s *Settings) effective(own map[string]string) Effective {
	text := func(name string) string { return s.topicText(name, own) }
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(text(name), 10, 64)
		return n
	}
	limit := func(name string) time.Duration {
		if n := number(name); n != math.MaxInt64 {
			return millis(n)
		}
		return -1
	}
	e := Effective{
		MaxMessage:      int(number("max.message.bytes")),
		AppendTime:      text("message.timestamp.type") == "LogAppendTime",
		DownConvert:     strings.EqualFold(text("message.downconversion.enable"), "true"),
		TimestampBefore: limit("message.timestamp.before.max.ms"),
		TimestampAfter:  limit("message.timestamp.after.max.ms"),
		DeleteRetention: millis(number("delete.retention.ms")),
		CompactionLag:   millis(number("min.compaction.lag.ms")),
		CompactionLimit: limit("max.compaction.lag.ms"),
	}
	e.DirtyRatio, _ = strconv.ParseFloat(text("min.cleanable.dirty.ratio"), 64)
	if name := text("compression.type"); name != "producer" {
		e.Recompress = true
		e.Compression, _ = record.ParseCodec(strings.Replace(name, "uncompressed", "none", 1))
		if level := "compression." + name + ".level"; topicSetting(level) != nil {
			e.Level = record.Level(number(level))
		}
	}
	policies := splitList(text("cleanup.policy"))
	e.Delete, e.Compact = slices.Contains(policies, "delete"), slices.Contains(policies, "compact")
	e.Log = s.logConfig(number, e)
	return e
}

// logConfig is the part of a topic's settings that its logs go by.
func (s *Settings) logConfig(number func(string) int64, e Effective) commitlog.Config {
	c := commitlog.Defaults()
	c.SegmentBytes = number("segment.bytes")
	c.SegmentAge = millis(number("segment.ms"))
	c.IndexInterval = int(number("index.interval.bytes"))
	c.RetentionBytes, c.RetentionAge = number("retention.bytes"), millis(number("retention.ms"))
	if c.RetentionBytes == 0 { // nothing is kept; for the log 0 is no limit
		c.RetentionBytes = 1
	}
	if c.RetentionAge == 0 {
		c.RetentionAge = 1
	}
	c.ProducerExpiry = s.Millis("producer.id.expiration.ms")
	c.Compact, c.DirtyRatio, c.DeleteRetention = e.Compact, e.DirtyRatio, e.DeleteRetention
	c.CompactionBytes = int(min(s.Int("log.cleaner.dedupe.buffer.size"), math.MaxInt32))
	c.CompactionLag, c.MaxCompactionLag = e.CompactionLag, e.CompactionLimit
	if !e.Delete {
		c.RetentionBytes, c.RetentionAge = -1, -1 // age and size delete nothing
	}
	return c
}

// TopicDefault is what a topic setting is that the topic itself does not set.
func (s *Settings) TopicDefault(name string) string {
	if topicSetting(name) == nil {
		return ""
	}
	return s.topicText(name, nil)
}

// topicText is the value of a topic setting: its own, the broker's, or the default.
func (s *Settings) topicText(name string, own map[string]string) string {
	if v, ok := own[name]; ok {
		return strings.TrimSpace(v)
	}
	found := topicSetting(name)
	if found.name != "" {
		if v, ok := s.resolve(found.name); ok {
			return v
		}
	}
	return found.standard
}
