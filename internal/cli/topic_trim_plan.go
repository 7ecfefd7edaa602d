package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/internal/record"
)

// trimmed is what a trim does, before it is done.
type trimmed struct {
	topic string
	held  map[int32]bounds
	goals map[int32]int64 // where each partition shall begin; those that would lose nothing are left out
}

// planTrim finds it. An offset that no chosen partition has come to is a slip, and would delete everything.
func planTrim(topic string, only int32, before point, held map[int32]bounds, at map[int32]record.Offset) (trimmed, error) {
	t := trimmed{topic, held, map[int32]int64{}}
	var ends []string
	short := 0
	for _, n := range slices.Sorted(maps.Keys(held)) {
		b := held[n]
		if only != -1 && n != only {
			continue
		}
		if ends = append(ends, fmt.Sprintf("partition %d ends at %d", n, b.end)); before.beyond(b) {
			short++
		}
		if goal := b.within(at[n]); goal > b.start {
			t.goals[n] = int64(goal)
		}
	}
	if short > 0 && short == len(ends) {
		return t, fmt.Errorf("trimming topic %s: there is no offset %d yet: %s (--before end deletes everything)", topic, before.n, strings.Join(ends, ", "))
	}
	return t, nil
}

// beyond says whether the point is an offset that a partition has not come to.
func (p point) beyond(b bounds) bool { return p.kind == atOffset && record.Offset(p.n) > b.end }

// text is the plan in words, a line for each partition. What is damaged or lost is no record that goes.
func (t trimmed) text(before point, damaged []diskUnreadable) string {
	var plan strings.Builder
	for _, n := range slices.Sorted(maps.Keys(t.goals)) {
		first, goal := t.held[n].start, record.Offset(t.goals[n])
		bad := unreadable(damaged, t.topic, n, bounds{first, goal})
		fmt.Fprintf(&plan, "  %s partition %d: %s, offsets %d to %d", t.topic, n, plural(int(goal-first-bad), "record"), first, goal-1)
		if bad > 0 {
			fmt.Fprintf(&plan, ", %d of them damaged or lost already", bad)
		}
		if before.beyond(t.held[n]) {
			fmt.Fprintf(&plan, " (all there are: there is no offset %d yet)", before.n)
		}
		plan.WriteByte('\n')
	}
	return plan.String()
}

// unreadable counts the offsets within b that are known to be damaged or lost.
func unreadable(damaged []diskUnreadable, topic string, partition int32, b bounds) (count record.Offset) {
	next := b.start // counted up to here: places may overlap
	for _, d := range slices.SortedFunc(slices.Values(damaged), func(a, b diskUnreadable) int { return int(min(max(a.From-b.From, -1), 1)) }) {
		if d.Topic != topic || d.Partition != partition {
			continue
		}
		if from, to := max(next, d.From), min(d.To, b.end); to > from {
			count, next = count+to-from, to
		}
	}
	return count
}

// unread names the groups that have not read what a trim takes, and how much that is, a line each.
func (t trimmed) unread(groups []groupStatus) string {
	var lines strings.Builder
	for _, s := range groups {
		at := map[int32]int64{}
		for _, p := range s.Partitions {
			if p.Topic == t.topic && p.Committed >= 0 {
				at[p.Partition] = p.Committed
			}
		}
		if len(at) == 0 {
			if t.readBy(s.members) {
				fmt.Fprintf(&lines, "  group %s reads there and has committed nothing yet\n", s.Group)
			}
			continue
		}
		var lag int64
		for n, goal := range t.goals { // where it has committed nothing it has all still to read
			lag += max(goal-max(at[n], int64(t.held[n].start)), 0)
		}
		if lag > 0 {
			fmt.Fprintf(&lines, "  not read by group %s: %s\n", s.Group, plural(int(lag), "record"))
		}
	}
	return lines.String()
}

// readBy says whether one of the members reads what goes.
func (t trimmed) readBy(members []groupMember) bool {
	for _, m := range members {
		for _, a := range m.Assigned {
			if a.Topic == t.topic && slices.ContainsFunc(a.Partitions, func(n int32) bool { return t.goals[n] > 0 }) {
				return true
			}
		}
	}
	return false
}

// trimPlan is the whole plan of a trim: what goes, and who has not read it.
func (g *globals) trimPlan(ctx context.Context, t trimmed, before point) string {
	groups, disk, err := g.groups(ctx, "")
	var damaged []diskUnreadable
	if disk != nil {
		damaged = disk.Unreadable
	}
	plan := t.text(before, damaged)
	if err != nil {
		return plan + fmt.Sprintf("  which groups have not read them is not known: %v\n", err)
	}
	return plan + t.unread(groups)
}
