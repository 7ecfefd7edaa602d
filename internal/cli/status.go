package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/spf13/cobra"
)

// fileStatus is a stream as "status files" lists it: with its host.
type fileStatus struct {
	Host string `json:"host"`
	etcdconf.StreamStatus
}

// report is what "status" prints; what was not asked for is absent.
type report struct {
	Agents    []etcdconf.AgentStatus    `json:"agents,omitempty"`
	Transfers []etcdconf.TransferStatus `json:"transfers,omitempty"`
	Files     []fileStatus              `json:"files,omitempty"`
	Groups    []groupStatus             `json:"groups,omitempty"`
	Disk      *diskStatus               `json:"disk,omitempty"` // with the groups, where the broker says it
	kinds     []string                  // asked for
	degraded  string                    // the first thing that is not as it should be
}

func newStatus(g *globals) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: "status [agents|files|transfers|groups]", Short: "show what agents and transfers do; exit code 3 when something is not as it should be",
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"agents", "files", "transfers", "groups"},
		RunE: run(func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				args = []string{"agents", "transfers"}
			}
			return g.status(ctx, args, watch)
		}),
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again whenever it changes")
	g.addOutput(cmd)
	return cmd
}

func (g *globals) status(ctx context.Context, kinds []string, watch bool) error {
	read := func(ctx context.Context) (report, error) { // the groups are the brokers' own and need no etcd
		groups, disk, err := g.groups(ctx, "")
		return report{Groups: groups, Disk: disk, kinds: kinds, degraded: disk.degraded()}, err
	}
	if kinds[0] != "groups" {
		c, err := g.dialEtcd()
		if err != nil {
			return err
		}
		defer c.Close()
		read = func(ctx context.Context) (report, error) { return readReport(ctx, c, kinds) }
	}
	if watch {
		return g.statusWatch(ctx, read)
	}
	r, err := read(ctx)
	if err != nil {
		return err
	}
	if err := g.printReport(r); err != nil {
		return err
	}
	if line := r.Disk.stands(); line != "" && g.output == "table" {
		g.sayf("%s", line)
	}
	for _, line := range append(r.Disk.gone(), beyond(r.Groups)...) {
		g.sayf("%s", line)
	}
	if r.degraded != "" {
		return degraded(fmt.Errorf("%s", r.degraded))
	}
	return nil
}

// statusWatch looks every second and shows what changed, until ctx ends.
func (g *globals) statusWatch(ctx context.Context, read func(context.Context) (report, error)) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := ""; ; {
		r, err := read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if now, _ := json.Marshal(r); string(now) != last {
			last = string(now)
			if terminal(g.stdout) {
				fmt.Fprint(g.stdout, "\x1b[H\x1b[2J") // to the corner, and clear
			}
			if err := g.printReport(r); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// readReport reads what was asked for and judges it.
func readReport(ctx context.Context, c *etcdconf.Client, kinds []string) (report, error) {
	r := report{kinds: kinds}
	for _, kind := range kinds {
		if kind == "transfers" {
			transfers, err := c.Transfers(ctx)
			if err != nil {
				return r, err
			}
			r.Transfers = transfers
			continue
		}
		agents, err := c.Agents(ctx)
		if err != nil {
			return r, err
		}
		if r.Agents = agents; kind == "files" {
			for _, a := range agents {
				for _, s := range a.Streams {
					r.Files = append(r.Files, fileStatus{a.Host, s})
				}
			}
		}
	}
	r.judge()
	if kinds[0] == "files" {
		r.Agents = nil
	}
	return r, nil
}

// judge finds the first thing that someone should look after.
func (r *report) judge() {
	note := func(bad bool, format string, args ...any) {
		if bad && r.degraded == "" {
			r.degraded = fmt.Sprintf(format, args...)
		}
	}
	const gone = "gone without a clean end: start it again; it is forgotten a day after it was last seen"
	for _, a := range r.Agents {
		note(a.State == etcdconf.StateLost, "the agent on %s is %s", a.Host, gone)
		note(a.State == etcdconf.StateFailed, "the status of the agent on %s cannot be read", a.Host)
		for _, i := range a.Inputs {
			note(i.State == etcdconf.StateFailed, "input %s FAILED on %s: %s", i.Name, a.Host, i.Error)
		}
	}
	for _, t := range r.Transfers {
		note(t.State == etcdconf.StateLost, "the transfer %s is %s", t.ID, gone)
		note(t.State == etcdconf.StateFailed, "the status of the transfer %s cannot be read", t.ID)
		for _, route := range t.Routes {
			note(route.State == etcdconf.StateFailed || route.State == etcdconf.StateStopped, "sink %s %s in transfer %s: %s", route.Sink, route.State, t.ID, route.Error)
		}
	}
}

// printReport prints json, yaml and names as one, tables one after the other.
func (g *globals) printReport(r report) error {
	value := map[string]any{}
	var tables []table
	for _, kind := range r.kinds {
		switch kind {
		case "agents":
			value[kind], tables = emptyNotNull(r.Agents), append(tables, agentTable(r.Agents))
		case "files":
			value[kind], tables = emptyNotNull(r.Files), append(tables, fileTable(r.Files))
		case "groups":
			value[kind], tables = emptyNotNull(r.Groups), append(tables, groupTable(r.Groups))
			if r.Disk != nil {
				value["disk"] = r.Disk
			}
		case "transfers":
			value[kind], tables = emptyNotNull(r.Transfers), append(tables, transferTable(r.Transfers))
		}
	}
	if g.output == "json" || g.output == "yaml" {
		return g.print(value, table{})
	}
	for n, t := range tables {
		if n > 0 && g.output == "table" && len(t.rows) > 0 {
			fmt.Fprintln(g.stdout)
		}
		if err := g.print(nil, t); err != nil {
			return err
		}
	}
	return nil
}

func emptyNotNull[T any](list []T) []T { return append([]T{}, list...) }

// agentTable has a row per input, or one for an agent that has none.
func agentTable(agents []etcdconf.AgentStatus) table {
	t := table{header: []string{"HOST", "LEASE", "INPUT", "TOPIC", "STATE", "REVISION", "FILES", "LAG", "ERROR"}, empty: "no agent has been seen: loghaul agent starts one"}
	for _, a := range agents {
		if len(a.Inputs) == 0 {
			t.add(a.Host, string(a.State), "", "", "", "", "", number(a.Totals.LagBytes), "")
		}
		for _, i := range a.Inputs {
			t.add(a.Host, string(a.State), i.Name, i.Topic, string(i.State), number(int64(i.Revision)), strconv.Itoa(i.Files), number(i.LagBytes), i.Error)
		}
	}
	return t
}

func fileTable(files []fileStatus) table {
	t := table{header: []string{"PATH", "HOST", "INPUT", "TOPIC", "PARTITION", "POSITION", "SIZE", "LAG", "ERROR"}, empty: "no file is followed"}
	for _, f := range files {
		t.add(f.Path, f.Host, f.Input, f.Topic, strconv.Itoa(int(f.Partition)), number(f.Position), number(f.Size), number(f.Lag), f.Error)
	}
	return t
}

// transferTable has a row per route, or one for a transfer that has none.
func transferTable(transfers []etcdconf.TransferStatus) table {
	t := table{header: []string{"TRANSFER", "LEASE", "SINK", "TOPIC", "STATE", "PARTITIONS", "LAG", "BEHIND", "ERROR"}, empty: "no transfer has been seen: loghaul transfer starts one"}
	for _, x := range transfers {
		if len(x.Routes) == 0 {
			t.add(x.ID, string(x.State), "", "", "", "", "", "", "")
		}
		for _, r := range x.Routes {
			behind := (time.Duration(r.LagMs) * time.Millisecond).String()
			t.add(x.ID, string(x.State), r.Sink, r.Topic, string(r.State), strconv.Itoa(len(r.Partitions)), number(r.LagRecords), behind, r.Error)
		}
	}
	return t
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
