package cli

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/spf13/cobra"
)

// consumeFlags are those of the command consume.
type consumeFlags struct {
	from, to, group, format, grep string
	n                             int64
	follow                        bool
}

func newConsume(g *globals) *cobra.Command {
	var f consumeFlags
	cmd := &cobra.Command{
		Use: "consume TOPIC", Short: "show the records of a topic, read committed", Args: cobra.ExactArgs(1),
		Long: `Shows what is in a topic and then what comes. A place P is: beginning, end, an OFFSET, -N (N before the end of each
partition), a TIME such as 2026-11-21T10:00Z, or an AGE such as 15m.`,
		RunE: run(func(ctx context.Context, args []string) error {
			c, err := newConsumer(g, f, args[0])
			if err != nil {
				return err
			}
			if f.group != "" {
				return c.runGroup(ctx)
			}
			return c.run(ctx)
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.from, "from", "beginning", "where to start")
	fl.StringVar(&f.to, "to", "", "where to end, exclusive")
	fl.StringVar(&f.group, "group", "", "go on from this group's commits and commit what was shown")
	fl.Int64VarP(&f.n, "number", "n", 0, "end after so many records, over all partitions")
	fl.StringVar(&f.format, "format", `%s\n`, "what to print: %t topic, %p partition, %o offset, %T time, %k key, %h headers, %s value")
	fl.BoolVar(&f.follow, "follow", true, "wait for records to come; --follow=false ends at the present end")
	fl.StringVar(&f.grep, "grep", "", "show only values that match this regular expression")
	must(fl.SetAnnotation("follow", onlyTyped, []string{"true"}))
	return cmd
}

// consumer prints records until it has enough of them. One goroutine at a time uses it.
type consumer struct {
	g      *globals
	f      consumeFlags
	topic  string
	format format
	grep   *regexp.Regexp // nil: all
	from   point
	to     *point // nil: none
	out    *bufio.Writer
	shown  int64
	line   []byte
	reader record.Reader
}

// errEnough ends a consumer that has shown as many records as were asked for.
var errEnough = errors.New("enough records")

func newConsumer(g *globals, f consumeFlags, topic string) (*consumer, error) {
	c := &consumer{g: g, f: f, topic: topic, out: bufio.NewWriterSize(g.stdout, 256<<10)}
	var err error
	if c.format, err = parseFormat(f.format); err != nil {
		return nil, err
	}
	if c.from, err = parsePoint("from", f.from, time.Now()); err != nil {
		return nil, err
	}
	if f.to != "" {
		to, err := parsePoint("to", f.to, time.Now())
		if err != nil {
			return nil, err
		}
		c.to = &to
	}
	if f.grep != "" {
		if c.grep, err = regexp.Compile(f.grep); err != nil {
			return nil, usageErrorf("--grep %s: %w", f.grep, err)
		}
	}
	switch {
	case f.n < 0:
		return nil, usageErrorf("-n %d: must be the number of records to show", f.n)
	case f.group != "" && c.to != nil:
		return nil, usageErrorf("--to does not go with --group: a group goes on where its commits are")
	case f.group != "" && c.from.kind != atBeginning && c.from.kind != atEnd:
		return nil, usageErrorf("--from %s: with --group it is beginning or end, and counts for partitions without a commit", f.from)
	}
	return c, nil
}

// run shows the records without a group.
func (c *consumer) run(ctx context.Context) error {
	cl := newCluster(c.g.kafkaConfig("loghaul-consume"))
	defer cl.Close()
	want, err := c.plan(ctx, cl)
	if err != nil {
		return ended(ctx, err)
	}
	r := &reading{cluster: cl, topic: c.topic, want: want, endless: c.f.follow, away: func(err error) {
		c.g.sayf("%v; waiting for it to come back", err)
	}}
	err = r.run(ctx, func(f *fetched) error { return c.showAll(f, want[f.partition]) }, c.out.Flush)
	return c.finish(ctx, err)
}

// plan finds where to start and end in each partition.
func (c *consumer) plan(ctx context.Context, cl *cluster) (map[int32]stretch, error) {
	leaders, err := cl.leaders(ctx, c.topic)
	if err != nil {
		return nil, err
	}
	held, err := cl.held(ctx, c.topic, leaders)
	if err != nil {
		return nil, err
	}
	from, err := c.from.resolve(ctx, cl, c.topic, leaders, held)
	if err != nil {
		return nil, err
	}
	lost := cl.lostFirst(ctx, c.topic, held)
	for _, p := range slices.Sorted(maps.Keys(lost)) {
		if c.from.passesOver(lost[p], from[p]) {
			return nil, lostError("", c.topic, p, lost[p])
		}
	}
	to := map[int32]record.Offset{}
	if c.to != nil {
		if to, err = c.to.resolve(ctx, cl, c.topic, leaders, held); err != nil {
			return nil, err
		}
	}
	want := map[int32]stretch{}
	for p, b := range held {
		s := stretch{from: b.within(from[p]), to: -1}
		if c.to != nil {
			s.to = max(0, to[p])
		}
		if !c.f.follow && (s.to < 0 || s.to > b.end) {
			s.to = b.end
		}
		want[p] = s
	}
	return want, nil
}

// showAll prints those records of an answer that lie in the stretch.
func (c *consumer) showAll(f *fetched, s stretch) error {
	return f.committed(&c.reader, func(r *record.Record) error {
		if r.Offset < s.from || (s.to >= 0 && r.Offset >= s.to) {
			return nil
		}
		return c.show(f.partition, r)
	})
}

// show prints one record, or passes it over.
func (c *consumer) show(partition int32, r *record.Record) error {
	if c.grep != nil && !c.grep.Match(r.Value) {
		return nil
	}
	c.line = c.format.append(c.line[:0], c.topic, partition, r)
	if _, err := c.out.Write(c.line); err != nil {
		return err
	}
	if c.shown++; c.shown == c.f.n {
		return errEnough
	}
	return nil
}

// finish prints what is left and turns the reason of the end into the command's result.
func (c *consumer) finish(ctx context.Context, reason error) error {
	if err := c.out.Flush(); err != nil {
		return err
	}
	if errors.Is(reason, errEnough) {
		return nil
	}
	return ended(ctx, reason)
}

// ended is nil when the first signal caused err: whoever follows a topic ends it that way.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
