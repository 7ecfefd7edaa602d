package etcdconf

import (
	"fmt"
	"math"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// defaultInput holds what an input means by leaving a field out.
func defaultInput() Input {
	return Input{
		Start: StartBeginning, KeyBy: KeyPath, Reader: ReaderNative, Format: FormatLine, Encoding: "utf-8",
		Batch:        InputBatch{Bytes: 256 << 10, Age: Duration(5 * time.Millisecond)},
		MaxLineBytes: 1_000_000, LongLines: LongSplit, Compression: "snappy",
	}
}

// ParseInput reads one value under /loghaul/v1/inputs/ or one file of an --inputs folder. The error is a
// *ValueError that lists all that is wrong. It opens no file: roots and readability are the agent's to judge.
func ParseInput(v Value) (Input, error) {
	in := defaultInput()
	lines, found := decode(v, &in, false)
	in.Name, in.Key, in.Revision = v.Name, v.Key, v.Revision
	c := &checker{lines: lines, found: found}
	c.name(v.Name)
	if len(found) == 0 {
		in.fill()
		in.check(c)
	}
	return in, asError(v.Key, c.found)
}

// fill puts the defaults of those parts that are there only when they are named.
func (i *Input) fill() {
	if t := i.TopicCreate; t != nil {
		t.Partitions, t.Replicas = orElse(t.Partitions, -1), orElse(t.Replicas, -1)
	}
	if m := i.Multiline; m != nil {
		m.MaxLines, m.Timeout = orElse(m.MaxLines, 1000), orElse(m.Timeout, Duration(2*time.Second))
	}
	for n := range i.Redact {
		i.Redact[n].With = orElse(i.Redact[n].With, "****")
	}
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// check judges everything that can be judged without touching a file.
func (i *Input) check(c *checker) {
	c.need(len(i.Paths) > 0, "paths", `must name at least one file, such as ["/var/log/nginx/*.log"]`)
	for n, p := range i.Paths {
		c.pathPattern(fmt.Sprintf("paths[%d]", n), p)
	}
	for n, p := range i.Exclude {
		c.need(p != "" && doublestar.ValidatePattern(p), fmt.Sprintf("exclude[%d]", n), "(%q) must be a pattern: is a [, { or \\ left open?", p)
	}
	c.topic("topic", i.Topic)
	i.checkTopicCreate(c)
	for n, h := range i.On.Hosts {
		c.need(h != "" && doublestar.ValidatePattern(h), fmt.Sprintf("on.hosts[%d]", n), `(%q) must be a pattern of host names, such as "web-*"`, h)
	}
	c.oneOf("start", i.Start, StartBeginning, StartEnd)
	c.oneOf("key", i.KeyBy, KeyPath, KeyNone)
	c.need(i.Partition == nil || *i.Partition >= 0, "partition", "must be 0 or more, or null to go by key")
	c.between("batch.bytes", int64(i.Batch.Bytes), 1<<10, 64<<20)
	c.span("batch.age", i.Batch.Age, 0, time.Minute)
	c.oneOf("reader", i.Reader, ReaderNative, ReaderTail)
	c.oneOf("format", i.Format, FormatLine, FormatCRI, FormatDocker, FormatAuto)
	c.encoding("encoding", i.Encoding)
	if m := i.Multiline; m != nil {
		c.need(m.Start != "", "multiline.start", "must be the regular expression of a record's first line")
		c.regexp("multiline.start", m.Start)
		c.between("multiline.max_lines", int64(m.MaxLines), 1, 1_000_000)
		c.span("multiline.timeout", m.Timeout, time.Millisecond, time.Hour)
	}
	c.regexps("include", i.Include)
	c.regexps("drop", i.Drop)
	for n, r := range i.Redact {
		field := fmt.Sprintf("redact[%d].pattern", n)
		c.need(r.Pattern != "", field, "must be a regular expression")
		c.regexp(field, r.Pattern)
	}
	c.between("max_line_bytes", int64(i.MaxLineBytes), 1, 64<<20)
	c.oneOf("long_lines", i.LongLines, LongSplit, LongTruncate, LongSkip)
	c.between("rate_bytes", int64(i.RateBytes), 0, math.MaxInt64)
	for name := range i.Labels {
		c.need(name != "" && len(name) <= 255, "labels", "(%q) a name must have 1 to 255 bytes", name)
		c.need(name != "pos" && name != "part", "labels."+name, "is a header loghaul itself writes: choose another name")
	}
	c.oneOf("compression", i.Compression, "none", "gzip", "snappy", "lz4", "zstd")
}

func (i *Input) checkTopicCreate(c *checker) {
	t := i.TopicCreate
	if t == nil {
		return
	}
	c.need(t.Partitions == -1 || t.Partitions >= 1 && t.Partitions <= 100_000, "topic_create.partitions", "(%d) must be 1 to 100000, or -1 for the broker's default", t.Partitions)
	c.need(t.Replicas == -1 || t.Replicas >= 1, "topic_create.replicas", "(%d) must be 1 or more, or -1 for the broker's default", t.Replicas)
	if i.Partition != nil && t.Partitions > 0 {
		c.need(*i.Partition < t.Partitions, "partition", "(%d) must be below topic_create.partitions (%d)", *i.Partition, t.Partitions)
	}
}
