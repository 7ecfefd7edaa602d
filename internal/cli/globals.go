package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Addresses where nothing else is said.
const (
	defaultEtcd    = "http://127.0.0.1:2379"
	defaultBroker  = "127.0.0.1:9092"
	defaultConsole = "127.0.0.1:7700"
)

// globals holds the flags that every command shares and the streams it talks to. Commands read it only after the
// flags, the environment and the configuration file have been applied (settle).
type globals struct {
	stdin          io.Reader
	stdout, stderr io.Writer // stdout is data, stderr is talk
	log            *slog.Logger
	level          *slog.LevelVar // of log; the broker's clients may change it

	config   string // YAML file with the flags' own names
	output   string // table, json, yaml, name
	logLevel string
	etcd     []string // URLs; one "none" does without etcd
	brokers  []string // host:port
	kafka    kafka.Config
	etcdAuth etcdconf.Config // certificates and user; endpoints come from etcd

	typed   map[string]bool   // flags given on the command line itself
	places  map[string]string // where the others were found
	running bool              // the command itself has begun, so errors are no longer wrong usage
}

func (g *globals) register(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringSliceVar(&g.etcd, "etcd", []string{defaultEtcd}, "etcd URLs, by comma; none does without etcd")
	f.StringSliceVar(&g.brokers, "brokers", []string{defaultBroker}, "Kafka brokers, HOST:PORT by comma")
	f.StringVar(&g.config, "config", "", "YAML file with the same names as the flags")
	f.StringVar(&g.logLevel, "log-level", "info", "what to log on standard error: debug, info, warn or error (up: warn)")
	f.StringVar(&g.kafka.CA, "kafka-ca", "", "file with the certificates that sign the brokers' (PEM); turns on TLS")
	f.StringVar(&g.kafka.Cert, "kafka-cert", "", "file with the client's certificate (PEM)")
	f.StringVar(&g.kafka.Key, "kafka-key", "", "file with the client's key (PEM)")
	f.StringVar(&g.kafka.SASL, "kafka-sasl", "", "how to log in: plain, scram-sha-256 or scram-sha-512")
	f.StringVar(&g.kafka.User, "kafka-user", "", "who to log in as")
	f.StringVar(&g.kafka.PasswordFile, "kafka-password-file", "", "file with the password")
	f.StringVar(&g.etcdAuth.CA, "etcd-ca", "", "file with the certificates that sign etcd's (PEM)")
	f.StringVar(&g.etcdAuth.Cert, "etcd-cert", "", "file with the client's certificate (PEM)")
	f.StringVar(&g.etcdAuth.Key, "etcd-key", "", "file with the client's key (PEM)")
	f.StringVar(&g.etcdAuth.User, "etcd-user", "", "who to log in to etcd as")
	f.StringVar(&g.etcdAuth.PasswordFile, "etcd-password-file", "", "file with the password")
}

// check is the last word on the shared flags before a command begins.
func (g *globals) check() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		return usageErrorf("--log-level %s: must be debug, info, warn or error", g.logLevel)
	}
	g.talkFrom(level)
	switch g.output {
	case "", "table", "json", "yaml", "name":
	default:
		return usageErrorf("-o %s: must be table, json, yaml or name", g.output)
	}
	return nil
}

// talkFrom makes the log say what is of this level or above.
func (g *globals) talkFrom(level slog.Level) {
	g.level = new(slog.LevelVar)
	g.level.Set(level)
	g.log = slog.New(slog.NewTextHandler(g.stderr, &slog.HandlerOptions{Level: g.level}))
}

// sayf writes one line of talk on standard error.
func (g *globals) sayf(format string, args ...any) {
	fmt.Fprintf(g.stderr, format+"\n", args...)
}

// withoutEtcd tells whether --etcd none was asked for.
func (g *globals) withoutEtcd() bool { return len(g.etcd) == 1 && g.etcd[0] == "none" }

// dialEtcd returns a client for a command that asks etcd once and says itself what went wrong; the caller closes it.
func (g *globals) dialEtcd() (*etcdconf.Client, error) { return g.dialEtcdWith(nil) }

// dialEtcdWith returns a client that tells log how it fares; the caller closes it.
func (g *globals) dialEtcdWith(log *slog.Logger) (*etcdconf.Client, error) {
	if g.withoutEtcd() {
		return nil, usageErrorf("--etcd none: this command reads and writes etcd: name its URLs with --etcd")
	}
	cfg := g.etcdAuth
	cfg.Endpoints, cfg.Logger = g.etcd, log
	c, err := etcdconf.Dial(cfg)
	if err != nil {
		return nil, fmt.Errorf("reaching etcd at %s: %w: name its URLs with --etcd", strings.Join(g.etcd, ","), err)
	}
	return c, nil
}

// kafkaConfig is how to reach the brokers; client is the name they see.
func (g *globals) kafkaConfig(client string) kafka.Config {
	c := g.kafka
	c.Brokers = g.brokers
	c.ClientID = client
	return c
}

// terminal tells whether w is a terminal that may be shown colour and progress.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

// action is the body of a command.
type action func(ctx context.Context, args []string) error

// run turns an action into cobra's RunE.
func run(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error { return do(cmd.Context(), args) }
}

// must panics on an error that only a mistake in this package can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
