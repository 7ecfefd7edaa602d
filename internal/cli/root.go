package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/nearest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Streams are what a command reads and writes; a test passes its own.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs one command line (without the program's name) and returns its exit code. Ending ctx is the first signal:
// long-running commands drain and return exitDone. It starts nothing that outlives it.
func Run(ctx context.Context, args []string, s Streams) int {
	g := &globals{stdin: s.Stdin, stdout: s.Stdout, stderr: s.Stderr}
	root := newRoot(g)
	root.SetArgs(args)
	return g.report(root.ExecuteContextC(ctx))
}

func newRoot(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "loghaul",
		Short: "every log line once: from the file to the topic, from the topic to where you look",
		Long: `loghaul follows log files, hands every line to a Kafka topic once, and every record to a sink once.
Start with "loghaul up", which needs nothing else, and then "loghaul consume web_log".`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.settle(cmd) },
	}
	root.SetFlagErrorFunc(flagSlip)
	root.SetOut(g.stdout)
	root.SetErr(g.stderr)
	root.SetIn(g.stdin)
	root.CompletionOptions.DisableDefaultCmd = true
	g.register(root)
	root.AddCommand(
		newUp(g), newAgent(g), newBroker(g), newTransfer(g),
		newInput(g), newSink(g), newStatus(g), newCheck(g),
		newTopic(g), newGroups(g), newConsume(g), newProduce(g),
		newBench(g), newVersion(g), newCompletion(g),
	)
	return root
}

// newGroup is a command that only holds others: alone it is wrong usage.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name())
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageErrorf("%s: say what to do: %s", cmd.CommandPath(), strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// flagSlip adds the flag that was probably meant to the complaint about one that is not there.
func flagSlip(cmd *cobra.Command, err error) error {
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near, letters := nearest.Of(missing.GetSpecifiedName(), known); letters <= 1+len(near)/3 {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return err
}

// argumentSlip says what is missing in the words of the command, in place of a count.
func argumentSlip(cmd *cobra.Command, err error) error {
	if words := strings.Fields(cmd.Use); len(words) > 1 && strings.HasPrefix(err.Error(), "accepts 1 arg(s)") {
		return fmt.Errorf("%s: give one %s, as in %s %s", cmd.CommandPath(), words[1], cmd.CommandPath(), strings.Join(words[1:], " "))
	}
	return err
}

// report says why a command failed and gives its exit code.
func (g *globals) report(cmd *cobra.Command, err error) int {
	_, network := errors.AsType[*net.OpError](err)
	if err == nil || errors.Is(err, syscall.EPIPE) && !network { // whoever read our output has seen enough
		return exitDone
	}
	code := exitCode(err)
	if wrong, ok := errors.AsType[*kafka.ConfigError](err); ok && code == exitFailed {
		code, err = exitUsage, errors.New(strings.ReplaceAll(wrong.Error(), "\n", "; "))
	}
	if !g.running {
		code, err = exitUsage, argumentSlip(cmd, err)
	}
	var silent *exitError
	if errors.As(err, &silent) && silent.err == nil {
		return code
	}
	g.sayf("loghaul: %v", err)
	if code == exitUsage {
		g.sayf("see: %s --help", cmd.CommandPath())
	}
	return code
}
