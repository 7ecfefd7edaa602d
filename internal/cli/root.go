package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
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
		newInput(g), newSink(g), newStatus(g), newVerify(g), newCheck(g),
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
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return valueSlip(wrong)
	}
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := nearest.Slip(missing.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	var commands []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			commands = append(commands, c.Name())
		}
	}
	if len(commands) > 0 { // the flag may be one of a command that was not found
		return fmt.Errorf("%w: the commands of %s are %s", err, cmd.CommandPath(), strings.Join(commands, ", "))
	}
	return err
}

// valueSlip says of what kind a flag's value must be.
func valueSlip(wrong *pflag.InvalidValueError) error {
	slip, ok := errors.AsType[*strconv.NumError](wrong)
	if !ok {
		return wrong
	}
	must := "must be a number"
	if wrong.GetFlag().Value.Type() == "bool" {
		must = "must be true or false"
	} else if errors.Is(slip, strconv.ErrRange) {
		must = "is out of range"
	}
	return fmt.Errorf("--%s %s: %s", wrong.GetFlag().Name, wrong.GetValue(), must)
}

// argumentSlip says what is missing in the words of the command, in place of a count.
func argumentSlip(cmd *cobra.Command, err error) error {
	if words := strings.Fields(cmd.Use); len(words) > 1 && (strings.HasPrefix(err.Error(), "accepts 1 arg(s)") || strings.HasPrefix(err.Error(), "requires at least 1 arg(s)")) {
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
