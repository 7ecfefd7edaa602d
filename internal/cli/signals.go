package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// oneSignal is how close two signals count as one: timeout(1), for one, sends its signal to the process and then to
// the process's group.
const oneSignal = 100 * time.Millisecond

// Main runs the process's own command line and returns its exit code. The first SIGINT or SIGTERM drains, the second
// ends at once. A reader of our output that goes away is an error of the write, not a signal.
func Main() int {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2) // room for both signals; the runtime sends, nobody closes
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		for first := time.Now(); time.Since(first) < oneSignal; {
			<-signals
		}
		fmt.Fprintln(os.Stderr, "loghaul: ending at once on the second signal; the next start goes on from what was acknowledged")
		os.Exit(exitFailed)
	}()
	return Run(ctx, os.Args[1:], Streams{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
}
