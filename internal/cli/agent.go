package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/loghaul/loghaul/agent"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/spf13/cobra"
)

// agentFlags are those of the command agent.
type agentFlags struct {
	data, host, inputs, admin string
	labels, roots             []string
	memory, deletedBytes      size
	maxOpen                   int
	cpu                       share
	deletedAge                span
	once                      bool
}

func newAgent(g *globals) *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{
		Use: "agent --data DIR", Short: "follow this host's files and hand every line to the broker once", Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return g.runAgent(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "folder for the journal; required")
	fl.StringVar(&f.host, "host", "", "name of this host in keys and status (default: the system's)")
	fl.StringArrayVar(&f.labels, "label", nil, "K=V, which inputs may ask for; repeat for more")
	fl.StringArrayVar(&f.roots, "allow-root", []string{"/var/log"}, "read only below this folder; repeat for more")
	fl.StringVar(&f.inputs, "inputs", "", "folder with inputs as JSON files, instead of etcd")
	fl.Var(&f.memory, "memory", "bytes that lines in flight may take (default: the agent's own)")
	fl.Var(&f.cpu, "cpu", "share of one core to use at most, 0.25 or 25% for a quarter (default: all there is)")
	fl.IntVar(&f.maxOpen, "max-open", 0, "files held open at a time (default: the agent's own)")
	fl.Var(&f.deletedBytes, "deleted-bytes", "bytes kept of files deleted before they were read (default: the agent's own)")
	fl.Var(&f.deletedAge, "deleted-age", "how long a rotated file is still read (default: the agent's own)")
	fl.BoolVar(&f.once, "once", false, "end when every file is at its end and acknowledged")
	fl.StringVar(&f.admin, "admin", "127.0.0.1:7701", "address of /metrics, /healthz, /readyz, /debug/pprof; none does without")
	cmd.AddCommand(newAgentDrain(g))
	return cmd
}

func (g *globals) runAgent(ctx context.Context, f agentFlags) error {
	if err := needData(f.data, "agent"); err != nil {
		return err
	}
	var err error
	if f.data, err = filepath.Abs(f.data); err != nil {
		return err
	}
	labels, err := pairs("label", f.labels)
	if err != nil {
		return err
	}
	if f.host, err = hostName(f.host); err != nil {
		return err
	}
	src, err := g.source(etcdconf.KindInput, f.inputs, "--inputs", f.host)
	if err != nil {
		return err
	}
	defer src.close()
	s := newService(g)
	a, err := agent.New(agent.Config{
		Data: f.data, Host: f.host, Version: version(), Labels: labels, Roots: f.roots, Inputs: src.Source,
		Kafka: g.kafkaConfig("loghaul-agent"), Memory: int64(f.memory), MaxOpen: f.maxOpen, CPU: float64(f.cpu), NeedsMemory: memoryLimit,
		DeletedBytes: int64(f.deletedBytes), DeletedAge: time.Duration(f.deletedAge), Once: f.once, Account: ledger.Topic,
		Never: append(ownOutput(), f.data), Status: src.publisher(etcdconf.AgentKey(f.host)), Logger: g.log.With("part", "agent"), Registry: s.metrics,
	})
	if err != nil {
		return err
	}
	return s.runPart(ctx, "agent", a, f.admin)
}

// memoryLimit tells the runtime how much memory the process is to stay within; a limit
// in the environment wins.
func memoryLimit(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}

// source is where a part's configuration comes from and where its status goes.
type source struct {
	etcdconf.Source
	client *etcdconf.Client // nil without etcd
}

// source gives the values of one kind: from dir when it is given, else from etcd. Status goes to etcd whenever there
// is one.
func (g *globals) source(kind etcdconf.Kind, dir, flag, host string) (source, error) {
	if g.withoutEtcd() && dir == "" {
		return source{}, usageErrorf("--etcd none needs %s: name a folder with %s as JSON files", flag, kind)
	}
	if dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return source{}, fmt.Errorf("%s %s: not a folder that can be read: make it, or name another", flag, dir)
		}
	}
	s := source{}
	if !g.withoutEtcd() {
		var err error
		if s.client, err = g.dialEtcdWith(g.log); err != nil {
			return source{}, err
		}
	}
	switch {
	case dir != "":
		s.Source = etcdconf.Folder(dir, g.log)
	case kind == etcdconf.KindSink:
		s.Source = s.client.Sinks()
	default:
		s.Source = s.client.Inputs(host, hostAddrs())
	}
	return s, nil
}

// publisher writes status under key, or is nil without etcd. The instance is the one in the status.
func (s source) publisher(key string) *etcdconf.Publisher {
	if s.client == nil {
		return nil
	}
	return s.client.Publisher(key, "")
}

func (s source) close() {
	if s.client != nil {
		s.client.Close()
	}
}

// hostName is what this host is called: as asked, else what the system says.
func hostName(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("asking for this host's name: %w: give one with --host", err)
	}
	return name, nil
}

// hostAddrs are this host's addresses, under which configuration may also lie.
func hostAddrs() []string {
	var list []string
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then only the name counts
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			list = append(list, n.IP.String())
		}
	}
	return list
}
