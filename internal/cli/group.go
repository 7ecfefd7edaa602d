package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
)

func newGroups(g *globals) *cobra.Command {
	return newGroup("group", "list, describe, move and delete consumer groups", newGroupList(g), newGroupDescribe(g), newGroupReset(g), newGroupDelete(g))
}

// groupLine is what group list shows of one group.
type groupLine struct {
	Group      string `json:"group"`
	State      string `json:"state"`
	Members    int    `json:"members"`
	LagRecords int64  `json:"lag_records"`
	Lost       int64  `json:"lost_records"`
	Blocks     bool   `json:"blocks"`
	Beyond     bool   `json:"beyond_end"` // somewhere it has committed what is not there
}

// lineOf is a group in one line.
func lineOf(s groupStatus) groupLine {
	beyond := slices.ContainsFunc(s.Partitions, func(p groupPartition) bool { return p.Beyond })
	return groupLine{s.Group, s.State, s.Members, s.LagRecords, s.Lost, s.Blocks, beyond}
}

// lagText is the lag over all partitions, and why that is not all there is to say.
func lagText(s groupStatus) string {
	text := number(s.LagRecords)
	for _, p := range s.Partitions {
		if p.Beyond {
			return text + ", " + p.lagText()
		}
	}
	return text
}

func newGroupList(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the consumer groups", Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return g.groupList(ctx) }),
	}
	g.addOutput(cmd)
	return cmd
}

func (g *globals) groupList(ctx context.Context) error {
	groups, disk, err := g.groups(ctx, "")
	if err != nil {
		return err
	}
	lines := []groupLine{}
	t := table{header: []string{"GROUP", "STATE", "MEMBERS", "LAG", "LOST", "BLOCKS"}, empty: groupTable(nil).empty}
	for _, s := range groups {
		lines = append(lines, lineOf(s))
		t.add(s.Group, s.State, strconv.Itoa(s.Members), lagText(s), number(s.Lost), blocksText(s.Blocks))
	}
	if err := g.print(map[string]any{"groups": lines}, t); err != nil {
		return err
	}
	g.sayDisk(disk)
	for _, line := range beyond(groups) {
		g.sayf("%s", line)
	}
	return nil
}

// groupDetail is what group describe shows.
type groupDetail struct {
	groupLine
	Members    []groupMember    `json:"members"`
	Partitions []groupPartition `json:"partitions"`
}

func newGroupDescribe(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "describe GROUP", Short: "show a group's members, what each reads, and how far the group has come", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.groupDescribe(ctx, args[0]) }),
	}
	g.addOutput(cmd)
	return cmd
}

func (g *globals) groupDescribe(ctx context.Context, name string) error {
	groups, disk, err := g.groups(ctx, name)
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		return fmt.Errorf("group %s does not exist: see loghaul group list", name)
	}
	s := groups[0]
	if g.output == "name" {
		return g.print(nil, table{rows: [][]string{{s.Group}}})
	}
	d := groupDetail{lineOf(s), s.members, s.Partitions}
	if err := g.print(d, groupTable(groups)); err != nil || g.output != "table" {
		return err
	}
	if len(s.members) > 0 {
		members := table{header: []string{"\nMEMBER", "CLIENT", "HOST", "READS"}}
		for _, m := range s.members {
			members.add(m.ID, m.Client, m.Host, m.text())
		}
		if err := g.print(nil, members); err != nil {
			return err
		}
	}
	g.sayDisk(disk)
	for _, line := range beyond(groups) {
		g.sayf("%s", line)
	}
	return nil
}

func newGroupDelete(g *globals) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete GROUP", Short: "show what deleting a group would forget; --yes deletes it", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return g.groupDelete(ctx, args[0], yes) }),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "delete, instead of showing the plan")
	must(cmd.Flags().SetAnnotation("yes", onlyTyped, []string{"true"}))
	return cmd
}

func (g *globals) groupDelete(ctx context.Context, name string, yes bool) error {
	groups, _, err := g.groups(ctx, name)
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		return fmt.Errorf("group %s does not exist: see loghaul group list", name)
	}
	s := groups[0]
	if s.Members > 0 {
		return hasMembers(name, plural(s.Members, "member"))
	}
	committed := 0
	for _, p := range s.Partitions {
		if p.Committed >= 0 {
			committed++
		}
	}
	what := fmt.Sprintf("%s with its commits in %s; %s not read", name, plural(committed, "partition"), plural(int(s.LagRecords), "record"))
	if !yes {
		_, err := fmt.Fprintf(g.stdout, "would delete group %s\nnothing was changed; --yes deletes it\n", what)
		return err
	}
	if err := g.administer(ctx, func(a sarama.ClusterAdmin) error { return a.DeleteConsumerGroup(name) }); err != nil {
		return fmt.Errorf("deleting group %s: %w", name, notAllowed(err, "Delete", "group", name))
	}
	g.sayf("deleted group %s", what)
	return nil
}

// sayDisk says what somebody should know about the disk, on standard error.
func (g *globals) sayDisk(d *diskStatus) {
	if why := d.waiting(); why != "" {
		g.sayf("%s", why)
	}
	for _, line := range d.gone() {
		g.sayf("%s", line)
	}
}
