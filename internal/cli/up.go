package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/loghaul/loghaul/agent"
	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/etcdconf/embedded"
	"github.com/loghaul/loghaul/internal/datadir"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/transfer"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// upFlags are those of the command up.
type upFlags struct {
	data, brokerListen, etcdListen, consoleListen string
	follow, roots                                 []string
	disk                                          diskFlags
}

func newUp(g *globals) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use: "up", Short: "run everything in one process: etcd, broker, agent, transfer", Args: noArgsButQuoted,
		Long: `Follows this machine's logs into the topic web_log and from there into files, with nothing else installed.
State lies under --data; started again, it goes on where it was.`,
	}
	cmd.RunE = run(func(ctx context.Context, _ []string) error {
		if err := g.ownParts(cmd); err != nil {
			return err
		}
		if !cmd.Flags().Changed("log-level") {
			g.talkFrom(slog.LevelWarn) // the screen says what matters
		}
		return g.runUp(ctx, f)
	})
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "loghaul-data", "folder for all state and output")
	fl.StringArrayVar(&f.follow, "follow", nil, "'GLOB' of files to follow instead of this machine's logs, ** crosses folders; repeat for more")
	fl.StringArrayVar(&f.roots, "allow-root", []string{"/var/log"}, "read below this folder what this user may read (elsewhere: what everyone may); repeat for more")
	f.disk.add(fl)
	fl.StringVar(&f.brokerListen, "broker-listen", defaultBroker, "address of the broker (Kafka protocol)")
	fl.StringVar(&f.etcdListen, "etcd-listen", "127.0.0.1:2379", "address of etcd")
	fl.StringVar(&f.consoleListen, "console-listen", defaultConsole, "address of /metrics, /healthz, /readyz, /debug/pprof; none does without")
	return cmd
}

// noArgsButQuoted names the likely cause of arguments behind --follow: a shell that expanded the pattern.
func noArgsButQuoted(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageErrorf("unexpected argument %q: quote the pattern, as in --follow '/srv/**/*.log'", args[0])
	}
	return nil
}

// ownParts refuses to be pointed at other brokers or another etcd: up brings its own.
func (g *globals) ownParts(cmd *cobra.Command) error {
	var err error
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if g.typed[f.Name] && f.Name != "config" && f.Name != "log-level" {
			err = usageErrorf("--%s does not go with up, which brings its own etcd and broker: use loghaul agent and loghaul transfer with it", f.Name)
		}
	})
	return err
}

// together is the parts of up while they run.
type together struct {
	*service
	f      upFlags
	data   string // absolute
	host   string
	etcd   *embedded.Etcd
	broker *broker.Broker
	agent  *agent.Agent
	client *etcdconf.Client // nil until etcd serves
	said   string           // what configure did, for the screen
	sinks  *sinkClaims

	followed []string // patterns of the last --follow, at this start or an earlier one
}

func (g *globals) runUp(ctx context.Context, f upFlags) error {
	if err := checkAddresses("--etcd-listen", f.etcdListen); err != nil {
		return err
	}
	if err := checkAddresses("--broker-listen", f.brokerListen); err != nil {
		return err
	}
	keepWithin(g.log)
	u := &together{service: newService(g), f: f}
	var err error
	if u.data, err = filepath.Abs(f.data); err != nil {
		return err
	}
	if u.host, err = hostName(""); err != nil {
		return err
	}
	if u.f.follow, err = absolutePatterns(f.follow); err != nil {
		return err
	}
	held, err := datadir.Hold(u.data)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := u.remember(); err != nil {
		return err
	}
	err = u.start(ctx)
	if err == nil {
		u.screen(ctx)
		u.ready()
		err = u.stages.wait(ctx)
	}
	u.serving.Store(false)
	if ctx.Err() != nil {
		g.sayf("draining: agent, transfer, broker, etcd (again to end at once)")
	}
	err = u.stages.finish(ctx, ownFlag(err))
	if u.client != nil {
		u.client.Close()
	}
	return err
}

// ownFlag makes a complaint about a taken address name the flag that this command has for that part.
func ownFlag(err error) error {
	e, ok := errors.AsType[*stageError](err)
	if !ok {
		return err
	}
	switch e.name {
	case "etcd":
		return withFlag(err, "--etcd-listen")
	case "broker":
		return withFlag(err, "--broker-listen")
	}
	return err
}

// start brings the parts up in the order in which they need each other; finish takes them down in the reverse.
func (u *together) start(ctx context.Context) error {
	if err := u.startAdmin(ctx, u.f.consoleListen, "--console-listen"); err != nil {
		return err
	}
	admin := u.where
	if err := u.startStores(ctx); err != nil {
		return err
	}
	u.where = append([]string{"etcd=" + u.etcd.URL(), "broker=" + u.broker.Addr()}, admin...)
	var err error
	if u.client, err = etcdconf.Dial(etcdconf.Config{Endpoints: []string{u.etcd.URL()}, Logger: u.g.log.With("part", "etcd client")}); err != nil {
		return fmt.Errorf("reaching the embedded etcd: %w", err)
	}
	if err := u.configure(ctx); err != nil {
		return err
	}
	if u.f.disk.budget > 0 {
		u.sinks.watch(u.client.Sinks(), filepath.Join(u.data, "broker"), u.broker.Ready())
		u.stages.launch(ctx, "sinks", u.sinks)
	}
	if err := u.startTransfer(ctx); err != nil {
		return err
	}
	return u.startAgent(ctx)
}

// startStores starts etcd and the broker side by side: neither needs the other.
func (u *together) startStores(ctx context.Context) error {
	var err error
	if u.etcd, err = embedded.New(embedded.Config{Data: u.data, Listen: u.f.etcdListen, Logger: u.g.log.With("part", "etcd")}); err != nil {
		return err
	}
	etcd := u.stages.launch(ctx, "etcd", u.etcd)
	u.sinks = newSinkClaims(u.g.log)
	u.broker, err = broker.New(broker.Config{
		DiskBudget: int64(u.f.disk.budget), OnFull: u.f.disk.onFull, Claims: u.f.disk.claims(u.sinks, false),
		Data: filepath.Join(u.data, "broker"), Listen: []string{u.f.brokerListen},
		CreateTopics: []string{systemTopic + ":1"}, Logger: u.g.log.With("part", "broker"), Level: u.g.level, Recovered: u.g.stderr, Registry: u.metrics,
	})
	if err != nil {
		return err
	}
	u.watch(u.broker)
	if err := u.stages.start(ctx, "broker", u.broker); err != nil {
		return err
	}
	return u.stages.await(ctx, etcd)
}

func (u *together) startTransfer(ctx context.Context) error {
	t, err := transfer.New(transfer.Config{
		Data: filepath.Join(u.data, "transfer"), ID: u.host, Host: u.host, Version: version(), Sinks: u.client.Sinks(),
		OutRoot: u.out(), Kafka: u.kafka("loghaul-transfer"), Stdout: u.g.stdout,
		Status: u.client.Publisher(etcdconf.TransferKey(u.host), ""), Logger: u.g.log.With("part", "transfer"), Registry: u.metrics,
	})
	if err != nil {
		return err
	}
	return u.stages.start(ctx, "transfer", t)
}

func (u *together) startAgent(ctx context.Context) error {
	var err error
	u.agent, err = agent.New(agent.Config{
		Data: filepath.Join(u.data, "agent"), Host: u.host, Version: version(), Roots: u.roots(), WorldReadable: true,
		Inputs: u.client.Inputs(u.host, hostAddrs()), Kafka: u.kafka("loghaul-agent"), Account: ledger.Topic, Never: append(ownOutput(), u.data),
		Status: u.client.Publisher(etcdconf.AgentKey(u.host), ""), Logger: u.g.log.With("part", "agent"), Registry: u.metrics,
	})
	if err != nil {
		return err
	}
	return u.stages.start(ctx, "agent", u.agent)
}

func (u *together) out() string { return filepath.Join(u.data, "out") }

func (u *together) kafka(client string) kafka.Config {
	return kafka.Config{Brokers: []string{reachable(u.broker.Addr())}, ClientID: client}
}
