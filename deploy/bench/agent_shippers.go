package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// shipper is an agent that brings a file's lines to a topic.
type shipper interface {
	name() string
	// start runs it on a job, until it is stopped or, if the job says so and it can, until everything is sent.
	start(ctx context.Context, j job) (*process, error)
}

// job is what a shipper is to do.
type job struct {
	dir   string // its own, empty
	file  string // or a pattern of files
	root  string // the folder that the agent may read; "": the file's own
	addr  string // of the broker
	topic string
	codec string // "": its default
	once  bool   // the file is whole: speed counts, not how soon a line is seen
}

// haul is the agent of this program.
type haul struct {
	program string
	env     []string
}

func (*haul) name() string { return ours }

func (h *haul) start(ctx context.Context, j job) (*process, error) {
	codec := ""
	if j.codec != "" {
		codec = fmt.Sprintf(`,"compression":%q`, j.codec)
	}
	input := fmt.Sprintf(`{"paths":[%q],"topic":%q%s}`, j.file, j.topic, codec)
	if err := errors.Join(os.MkdirAll(filepath.Join(j.dir, "inputs"), 0o700), os.WriteFile(filepath.Join(j.dir, "inputs", "bench.json"), []byte(input), 0o600)); err != nil {
		return nil, err
	}
	args := []string{"agent", "--data", filepath.Join(j.dir, "data"), "--host", "bench", "--allow-root", cmp.Or(j.root, filepath.Dir(j.file)),
		"--inputs", filepath.Join(j.dir, "inputs"), "--etcd", "none", "--brokers", j.addr, "--admin", "none"}
	if j.once {
		args = append(args, "--once")
	}
	return startLoghaul(ctx, h.program, h.env, args...)
}

// ours is this program's agent.
func (b *agentBench) ours() *haul { return &haul{b.Program, b.Env} }

// findShippers finds out which agents there are, and answers what those beside this program's are called.
func (b *agentBench) findShippers() ([]string, error) {
	b.shippers = []shipper{b.ours()}
	beside := []string{}
	for _, find := range []func(AgentConfig) (shipper, string, error){findRsyslog, findCollector} {
		s, version, err := find(b.AgentConfig)
		switch {
		case errors.Is(err, errNotHere):
			b.Say("%v", err)
		case err != nil:
			return beside, err
		default:
			b.shippers, beside = append(b.shippers, s), append(beside, version)
		}
	}
	return beside, nil
}

// errNotHere says that an agent is not to be had on this machine.
var errNotHere = errors.New("it is not among those that are compared")

// lookFor finds a program: as it was asked for, else in the places where it may lie.
func lookFor(asked, flag, what string, places ...string) (string, error) {
	if asked == "none" {
		return "", fmt.Errorf("%s: %w, as was asked for", what, errNotHere)
	}
	if asked != "" {
		path, err := exec.LookPath(asked)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w: name the program, or none", flag, asked, err)
		}
		return path, nil
	}
	for _, place := range places {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w: it is not installed (%s names it)", what, errNotHere, flag)
}

// run starts another agent and waits a moment, in which one that refuses its configuration ends.
func run(ctx context.Context, name string, cmd *exec.Cmd) (*process, error) {
	cmd.Env = ownEnv(os.Environ())
	pr, err := spawn(name, cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-pr.ended:
		return nil, pr.failed("ended at once")
	case <-ctx.Done():
		pr.kill()
		return nil, ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return pr, nil
	}
}
