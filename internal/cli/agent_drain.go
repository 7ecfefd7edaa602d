package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/agent"
	"github.com/spf13/cobra"
)

// drainFlags are those of the command agent drain.
type drainFlags struct {
	data    string
	timeout span
}

func newAgentDrain(g *globals) *cobra.Command {
	f := drainFlags{timeout: span(5 * time.Minute)}
	cmd := &cobra.Command{
		Use: "drain --data DIR", Short: "let the agent of this host send all that its files hold, and end", Args: cobra.NoArgs,
		Long: `For a host that is to go away: the agent whose folder is named sends what its files hold, waits until all of it is
acknowledged, and ends; this command then ends with 0. When that cannot be, it says why and ends with 1, and the agent goes on.`,
		RunE: run(func(ctx context.Context, _ []string) error { return g.agentDrain(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "folder of the agent on this host; required")
	fl.Var(&f.timeout, "timeout", "how long to wait; then the agent goes on")
	return cmd
}

func (g *globals) agentDrain(ctx context.Context, f drainFlags) error {
	if f.data == "" {
		return usageErrorf("agent drain: name the folder of the agent on this host with --data")
	}
	data := agentFolder(f.data)
	waiting, cancel := context.WithTimeout(ctx, time.Duration(f.timeout))
	defer cancel()
	d, err := agent.Drain(waiting, data)
	switch {
	case errors.Is(err, agent.ErrNoAgent):
		return fmt.Errorf("%w: loghaul agent --once with the flags of that agent sends what is left", err)
	case err != nil && waiting.Err() != nil && ctx.Err() == nil:
		return fmt.Errorf("the agent in %s has not sent everything within %s and goes on: loghaul status files says what waits; --timeout gives it longer", data, time.Duration(f.timeout))
	case err != nil:
		return err
	case d.Error != "":
		return fmt.Errorf("the agent in %s cannot send everything, and goes on: %s", data, d.Error)
	}
	left := ""
	if d.Waiting > 0 {
		left = fmt.Sprintf("; %s stay behind: of last lines without an end, or of paused inputs", plural(int(d.Waiting), "byte"))
	}
	g.sayf("everything is acknowledged and the agent in %s has ended%s", data, left)
	return nil
}
