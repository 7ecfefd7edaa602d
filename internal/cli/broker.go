package cli

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/loghaul/loghaul/broker"
	"github.com/spf13/cobra"
)

// brokerFlags are those of the command broker.
type brokerFlags struct {
	data, properties, admin              string
	listen, advertise, createTopics, set []string
}

func newBroker(g *globals) *cobra.Command {
	var f brokerFlags
	cmd := &cobra.Command{
		Use: "broker --data DIR", Short: "speak the Kafka protocol and keep every partition as a log of segments", Args: cobra.NoArgs,
		Long: `Runs the broker alone. Its settings are Kafka's own names: --set num.partitions=3, the same in --properties
server.properties, or KAFKA_NUM_PARTITIONS=3 in the environment; --set wins over the environment over the file.`,
		RunE: run(func(ctx context.Context, _ []string) error { return g.runBroker(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "folder for the topics; required")
	fl.StringSliceVar(&f.listen, "listen", []string{defaultBroker}, "[NAME://]HOST:PORT to listen on; repeat for more")
	fl.StringSliceVar(&f.advertise, "advertise", nil, "[NAME://]HOST:PORT that clients shall use (default: where it listens)")
	fl.StringSliceVar(&f.createTopics, "create-topics", nil, "TOPIC:PARTITIONS to make where they are missing, by comma")
	fl.StringVar(&f.properties, "properties", "", "server.properties file with Kafka's own setting names")
	fl.StringArrayVar(&f.set, "set", nil, "NAME=VALUE, a setting by Kafka's own name; repeat for more")
	fl.StringVar(&f.admin, "admin", "127.0.0.1:7702", "address of /metrics, /healthz, /readyz, /debug/pprof; none does without")
	return cmd
}

func (g *globals) runBroker(ctx context.Context, f brokerFlags) error {
	if err := needData(f.data, "broker"); err != nil {
		return err
	}
	if err := checkAddresses("--listen", f.listen...); err != nil {
		return err
	}
	if err := checkAddresses("--advertise", f.advertise...); err != nil {
		return err
	}
	settings, err := brokerSettings(f, os.Environ())
	if err != nil {
		return err
	}
	s := newService(g)
	b, err := broker.New(broker.Config{
		Data: f.data, Listen: f.listen, Advertise: f.advertise, Settings: settings, CreateTopics: f.createTopics,
		Logger: g.log.With("part", "broker"), Recovered: g.stderr, Registry: s.metrics,
	})
	if err != nil {
		return err
	}
	return s.runPart(ctx, "broker", b, f.admin)
}

// brokerSettings gathers Kafka's settings: those typed win over the environment's, and these over the file's.
func brokerSettings(f brokerFlags, environ []string) (map[string]string, error) {
	settings, err := readProperties(f.properties)
	if err != nil {
		return nil, err
	}
	maps.Copy(settings, kafkaEnvironment(environ))
	typed, err := pairs("set", f.set)
	if err != nil {
		return nil, err
	}
	maps.Copy(settings, typed)
	return settings, nil
}

// kafkaEnvironment reads KAFKA_NUM_PARTITIONS as num.partitions, the way Kafka's images do: _ is a dot, __ an
// underscore, ___ a dash. What those images keep for the Java process is no setting.
func kafkaEnvironment(environ []string) map[string]string {
	settings := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		name, ok := strings.CutPrefix(name, "KAFKA_")
		if !ok || name == "" || javaOnly(name) {
			continue
		}
		name = strings.ReplaceAll(strings.ToLower(name), "___", "-")
		name = strings.ReplaceAll(name, "__", "\x00")
		name = strings.ReplaceAll(name, "_", ".")
		settings[strings.ReplaceAll(name, "\x00", "_")] = value
	}
	return settings
}

func javaOnly(name string) bool {
	switch name {
	case "HOME", "VERSION", "OPTS", "CLUSTER_ID":
		return true
	}
	for _, suffix := range []string{"_OPTS", "_LOGLEVEL", "LOG4J_LOGGERS", "_CLIENT_CNXN_SOCKET"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// readProperties reads Java's properties format as far as server.properties files use it: NAME=VALUE or NAME: VALUE
// lines, comments with # or !, and a backslash that joins the next line.
func readProperties(path string) (map[string]string, error) {
	settings := map[string]string{}
	if path == "" {
		return settings, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading --properties: %w", err)
	}
	defer f.Close()
	var joined string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := joined + strings.TrimSpace(lines.Text())
		if joined = ""; line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		if rest, more := strings.CutSuffix(line, `\`); more {
			joined = rest
			continue
		}
		cut := strings.IndexAny(line, "=:")
		if cut < 1 {
			return nil, fmt.Errorf("reading --properties %s: line %d: must be NAME=VALUE", path, n)
		}
		settings[strings.TrimSpace(line[:cut])] = strings.TrimSpace(line[cut+1:])
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading --properties %s: %w", path, err)
	}
	return settings, nil
}
