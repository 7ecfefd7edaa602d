package cli

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/loghaul/loghaul/agent"
	"github.com/spf13/cobra"
)

// inputAbandonFlags are those of the command input abandon.
type inputAbandonFlags struct {
	data string
	yes  bool
}

func newInputAbandon(g *globals) *cobra.Command {
	var f inputAbandonFlags
	cmd := &cobra.Command{
		Use: "abandon NAME --data DIR", Short: "show which lines in doubt would be given up on this host; --yes gives them up", Args: cobra.ExactArgs(1),
		Long: `What an agent has begun to send and nobody has acknowledged is tried without end. When it can never be stored, because
its topic is gone or refuses it for good, this gives it up: the lines are counted as lost, and the rest goes on.`,
		RunE: run(func(ctx context.Context, args []string) error { return g.inputAbandon(ctx, args[0], f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "folder of the agent on this host; required")
	fl.BoolVar(&f.yes, "yes", false, "give up, instead of showing the plan")
	must(fl.SetAnnotation("yes", onlyTyped, []string{"true"}))
	g.addOutput(cmd)
	return cmd
}

func (g *globals) inputAbandon(ctx context.Context, input string, f inputAbandonFlags) error {
	if f.data == "" {
		return usageErrorf("input abandon %s: say whose lines with --data, the folder of the agent on this host", input)
	}
	data := agentFolder(f.data)
	plan, err := agent.UnsentBy(data, input)
	if err != nil {
		return err
	}
	t := table{header: []string{"TOPIC", "PARTITION", "BATCHES", "RECORDS", "BYTES", "SINCE"}, empty: "nothing of input " + input + " is in doubt"}
	for _, u := range plan {
		t.add(u.Topic, strconv.Itoa(int(u.Partition)), strconv.Itoa(u.Batches), number(u.Records), bytesText(u.Bytes), u.Since.UTC().Format(time.RFC3339))
	}
	if plan == nil {
		plan = []agent.Unsent{}
	}
	if err := g.print(map[string]any{"input": input, "unsent": plan}, t); err != nil || len(plan) == 0 {
		return err
	}
	if !f.yes {
		g.sayf("nothing was changed; --yes gives these lines up for good")
		return nil
	}
	if err := agent.Abandon(data, input); err != nil {
		return err
	}
	g.sayf("the agent in %s gives them up within seconds, or when it starts next; they count as lost", data)
	return nil
}

// agentFolder is the agent's part of a folder that up may have made.
func agentFolder(data string) string {
	part := filepath.Join(data, "agent")
	if _, err := os.Stat(filepath.Join(part, "journal")); err == nil {
		return part
	}
	return data
}
