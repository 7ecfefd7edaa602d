package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer"
)

// groupResetFlags are those of the command group reset.
type groupResetFlags struct {
	topic     string
	to        string
	partition int32
	yes       bool
}

func newGroupReset(g *globals) *cobra.Command {
	var f groupResetFlags
	cmd := &cobra.Command{
		Use: "reset GROUP --topic TOPIC --to earliest|latest|TIME|OFFSET", Short: "show where a group would go on in a topic; --yes moves it there", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.groupReset(ctx, args[0], f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.topic, "topic", "", "the topic to move it in; required")
	fl.StringVar(&f.to, "to", "", "where to go on: earliest, latest, an OFFSET, -N (that many before the end), a TIME, or an AGE; required")
	fl.Int32Var(&f.partition, "partition", -1, "only in this partition")
	fl.BoolVar(&f.yes, "yes", false, "move the group, instead of showing the plan")
	for _, name := range []string{"topic", "to", "partition", "yes"} {
		must(fl.SetAnnotation(name, onlyTyped, []string{"true"}))
	}
	return cmd
}

// place is where the group shall go on.
func (f groupResetFlags) place(group string, now time.Time) (point, error) {
	switch {
	case f.topic == "":
		return point{}, usageErrorf("group reset %s: name the topic with --topic", group)
	case f.to == "":
		return point{}, usageErrorf("group reset %s: say where to go on with --to: earliest, latest, a time, or an offset", group)
	case f.to == "earliest":
		return point{kind: atBeginning}, nil
	case f.to == "latest":
		return point{kind: atEnd}, nil
	}
	at, err := parsePoint("to", f.to, now)
	if err != nil {
		return at, usageErrorf("--to %s: must be earliest, latest, an offset, -N, a time such as 2026-11-21T10:00Z, or an age such as 15m", f.to)
	}
	return at, nil
}

func (g *globals) groupReset(ctx context.Context, name string, f groupResetFlags) error {
	to, err := f.place(name, time.Now())
	if err != nil {
		return err
	}
	if err := g.quietGroup(ctx, name); err != nil {
		return err
	}
	cl := newCluster(g.kafkaConfig("loghaul-group"))
	defer cl.Close()
	moves, err := cl.moves(ctx, name, f, to)
	if err != nil {
		return err
	}
	var plan strings.Builder
	moved := false
	for _, m := range moves {
		moved = moved || m.from != m.to
		fmt.Fprintf(&plan, "  %s partition %d: %s\n", f.topic, m.partition, m.text())
	}
	switch {
	case !moved:
		_, err = fmt.Fprintf(g.stdout, "nothing to move: group %s is there already\n%s", name, plan.String())
	case !f.yes:
		_, err = fmt.Fprintf(g.stdout, "would move group %s\n%snothing was changed; --yes moves it\n", name, plan.String())
	default:
		if err = g.whyRefused(ctx, cl.move(ctx, name, f.topic, moves)); err == nil {
			g.sayf("moved group %s\n%s", name, strings.TrimSuffix(plan.String(), "\n"))
		}
	}
	return err
}

// quietGroup refuses a group that is not there, or has members: they would commit over what is set.
func (g *globals) quietGroup(ctx context.Context, name string) error {
	groups, _, err := g.groups(ctx, name)
	switch {
	case err != nil:
		return err
	case len(groups) == 0:
		return fmt.Errorf("group %s does not exist: see loghaul group list", name)
	case groups[0].Members > 0:
		return hasMembers(name, plural(groups[0].Members, "member"))
	}
	return nil
}

func hasMembers(group, members string) error {
	return fmt.Errorf("group %s has %s: stop them first (a sink: \"paused\": true), loghaul group describe %s names them", group, members, group)
}

// move is where a group stands in a partition, and where it shall go on.
type move struct {
	partition int32
	from, to  record.Offset // from -1: it has committed nothing there
	wanted    record.Offset // what to was before it was moved to what there is
	held      bounds
	metadata  string
}

// text is the move in words.
func (m move) text() string {
	var s string
	switch {
	case m.from == m.to:
		return fmt.Sprintf("stays at %d", m.to)
	case m.from < 0:
		s = fmt.Sprintf("nothing committed, to %d", m.to)
	case m.from > m.held.end:
		s = fmt.Sprintf("from %d, behind its end, back to %d", m.from, m.to)
	case m.to < m.from:
		s = fmt.Sprintf("from %d back to %d: %s again", m.from, m.to, plural(int(m.from-m.to), "record"))
	default:
		s = fmt.Sprintf("from %d on to %d: %s passed over", m.from, m.to, plural(int(m.to-max(m.from, m.held.start)), "record"))
	}
	switch {
	case m.wanted > m.to:
		s += fmt.Sprintf(" (it ends there: there is no offset %d)", m.wanted)
	case m.wanted >= 0 && m.wanted < m.to:
		s += fmt.Sprintf(" (it begins there: offset %d is gone)", m.wanted)
	}
	return s
}

// moves are what a reset does in each partition, in order.
func (c *cluster) moves(ctx context.Context, group string, f groupResetFlags, to point) ([]move, error) {
	leaders, err := c.leaders(ctx, f.topic)
	if err != nil {
		return nil, err
	}
	if _, there := leaders[f.partition]; f.partition != -1 && !there {
		return nil, fmt.Errorf("topic %s has no partition %d: it has %d", f.topic, f.partition, len(leaders))
	}
	held, err := c.held(ctx, f.topic, leaders)
	if err != nil {
		return nil, err
	}
	at, err := to.resolve(ctx, c, f.topic, leaders, held)
	if err != nil {
		return nil, err
	}
	written, err := c.offsets(ctx, f.topic, leaders, timeWritten)
	if err != nil {
		return nil, err
	}
	partitions := slices.Sorted(maps.Keys(held))
	if f.partition != -1 {
		partitions = []int32{f.partition}
	}
	had, err := c.commits(ctx, group, f.topic, partitions)
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, n := range partitions {
		m := had[n]
		m.held = bounds{held[n].start, max(held[n].end, written[n])} // a transaction may be open
		m.partition, m.wanted, m.to = n, at[n], m.held.within(at[n])
		moves = append(moves, m)
	}
	return moves, nil
}

// commits are what the group has committed in partitions of a topic, as moves from there.
func (c *cluster) commits(ctx context.Context, group, topic string, partitions []int32) (map[int32]move, error) {
	conn, err := c.coordinator(ctx, group)
	if err != nil {
		return nil, err
	}
	req, t := kmsg.NewPtrOffsetFetchRequest(), kmsg.NewOffsetFetchRequestTopic()
	req.Version, req.Group = 5, group
	t.Topic, t.Partitions = topic, partitions
	req.Topics = append(req.Topics, t)
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return nil, err
	}
	had := map[int32]move{}
	r := resp.(*kmsg.OffsetFetchResponse)
	err = kerr.ErrorForCode(r.ErrorCode)
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
			m := move{from: record.Offset(p.Offset)}
			if p.Metadata != nil {
				m.metadata = *p.Metadata
			}
			had[p.Partition] = m
		}
	}
	if err != nil {
		return nil, fmt.Errorf("asking what group %s has committed in %s: %w", group, topic, notAllowed(err, "Describe", "group", group))
	}
	return had, nil
}

// move commits for a group without members. The mark in the metadata has a sink go by it that remembers an offset itself.
func (c *cluster) move(ctx context.Context, group, topic string, moves []move) error {
	d := topicDetail{Topic: topic}
	versions, err := c.versions(ctx)
	if err == nil {
		err = c.topicID(ctx, &d, versions[3])
	}
	if err != nil {
		return err
	}
	conn, err := c.coordinator(ctx, group)
	if err != nil {
		return err
	}
	req, t := kmsg.NewPtrOffsetCommitRequest(), kmsg.NewOffsetCommitRequestTopic()
	req.Version, req.Group, req.Generation = 7, group, -1
	t.Topic = topic
	for _, m := range moves {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		mark := transfer.ResetMark(m.metadata, m.to, d.ID)
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = m.partition, int64(m.to), -1, &mark
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return fmt.Errorf("moving group %s: %w", group, err)
	}
	return movedAll(group, topic, moves, resp.(*kmsg.OffsetCommitResponse))
}

// movedAll is the first reason why a partition was not moved, and which were moved all the same.
func movedAll(group, topic string, moves []move, resp *kmsg.OffsetCommitResponse) (first error) {
	answers := map[int32]error{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			answers[p.Partition] = kerr.ErrorForCode(p.ErrorCode)
		}
	}
	var moved []string
	for _, m := range moves {
		err, answered := answers[m.partition]
		switch {
		case answered && err == nil:
			moved = append(moved, strconv.Itoa(int(m.partition)))
			continue
		case !answered:
			err = fmt.Errorf("moving group %s in %s/%d: the broker did not say whether it did", group, topic, m.partition)
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.RebalanceInProgress):
			err = hasMembers(group, "members now")
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			err = fmt.Errorf("moving group %s in %s/%d: %w", group, topic, m.partition, notAllowed(err, "Read", "topic", topic))
		default:
			err = fmt.Errorf("moving group %s in %s/%d: %w", group, topic, m.partition, notAllowed(err, "Read", "group", group))
		}
		if first == nil {
			first = err
		}
	}
	if first != nil && len(moved) > 0 {
		return fmt.Errorf("%w; it was moved in partition %s, and not in %s", first, strings.Join(moved, ", "), plural(len(moves)-len(moved), "other"))
	}
	return first
}
