package cli

import (
	"cmp"
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
	tlsCert, tlsKey, tlsClientCA         string
	listen, advertise, createTopics, set []string

	disk      diskFlags
	places    map[string]string // where each setting was found
	clusterID string            // for a folder that has none
}

// place says where a setting was found.
func (f *brokerFlags) place(setting string) string { return f.places[setting] }

func newBroker(g *globals) *cobra.Command {
	var f brokerFlags
	cmd := &cobra.Command{
		Use: "broker --data DIR", Short: "speak the Kafka protocol and keep every partition as a log of segments", Args: cobra.NoArgs,
		Long: `Runs the broker alone. Its settings are Kafka's own names: --set num.partitions=3, "set:" with names and values
in the --config file, the same in --properties server.properties, or KAFKA_NUM_PARTITIONS=3 in the environment; --set
wins over the environment over the file. Kafka's listeners, advertised.listeners and log.dirs count where --listen,
--advertise and --data are not given.`,
	}
	cmd.RunE = run(func(ctx context.Context, _ []string) error {
		if !cmd.Flags().Changed("listen") {
			f.listen = nil // the setting listeners may say something else
		}
		return g.runBroker(ctx, f)
	})
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "folder for the topics; required, unless log.dirs names one")
	fl.StringSliceVar(&f.listen, "listen", []string{defaultBroker}, "[NAME://]HOST:PORT to listen on; repeat for more")
	fl.StringSliceVar(&f.advertise, "advertise", nil, "[NAME://]HOST:PORT that clients shall use (default: where it listens)")
	fl.StringVar(&f.tlsCert, "tls-cert", "", "file with the broker's certificates (PEM): its listeners then speak TLS, unless their name says otherwise")
	fl.StringVar(&f.tlsKey, "tls-key", "", "file with the broker's key (PEM)")
	fl.StringVar(&f.tlsClientCA, "tls-client-ca", "", "file with the certificates that sign the clients' (PEM), which they then must show")
	fl.StringSliceVar(&f.createTopics, "create-topics", nil, "TOPIC:PARTITIONS[:REPLICAS[:POLICY]] to make where they are missing, by comma")
	fl.StringVar(&f.properties, "properties", "", "server.properties file with Kafka's own setting names")
	fl.StringArrayVar(&f.set, "set", nil, "NAME=VALUE, a setting by Kafka's own name; repeat for more")
	f.disk.add(fl)
	fl.StringVar(&f.admin, "admin", "127.0.0.1:7702", "address of /metrics, /healthz, /readyz, /debug/pprof; none does without")
	cmd.AddCommand(newBrokerUser(g))
	return cmd
}

func (g *globals) runBroker(ctx context.Context, f brokerFlags) error {
	if err := checkAddresses("--listen", f.listen...); err != nil {
		return err
	}
	if err := checkAddresses("--advertise", f.advertise...); err != nil {
		return err
	}
	settings, err := g.brokerSettings(&f, os.Environ())
	if err != nil {
		return err
	}
	g.dataOfSettings(&f, settings)
	if err := needData(f.data, "broker"); err != nil {
		return err
	}
	keepWithin(g.log)
	s := newService(g)
	sinks := newSinkClaims(g.log)
	b, err := broker.New(broker.Config{
		DiskBudget: int64(f.disk.budget), OnFull: f.disk.onFull, Claims: f.disk.claims(sinks, g.withoutEtcd()),
		Data: f.data, Listen: f.listen, Advertise: f.advertise, Settings: settings, Place: f.place, ClusterID: f.clusterID, CreateTopics: f.createTopics,
		TLSCert: f.tlsCert, TLSKey: f.tlsKey, TLSClientCA: f.tlsClientCA, ListenFlag: "--listen",
		Logger: g.log.With("part", "broker"), Level: g.level, Recovered: g.stderr, Registry: s.metrics,
	})
	if err != nil {
		return err
	}
	if f.disk.budget > 0 && !g.withoutEtcd() {
		client, err := g.dialEtcdWith(g.log)
		if err != nil {
			return err
		}
		defer client.Close()
		sinks.watch(client.Sinks(), f.data, b.Ready())
		s.stages.launch(ctx, "sinks", sinks)
	}
	return s.runPart(ctx, "broker", b, f.admin)
}

// brokerSettings gathers Kafka's settings: those typed win over the environment's, and these over the file's. Topics
// to create come from the environment where none are typed.
func (g *globals) brokerSettings(f *brokerFlags, environ []string) (map[string]string, error) {
	settings, places, err := readProperties(f.properties)
	if err != nil {
		return nil, err
	}
	images := kafkaEnvironment(environ)
	if err := images.check(); err != nil {
		return nil, err
	}
	if len(images.others) > 0 {
		g.log.Info("variables that only Kafka's images read: " + strings.Join(images.others, ", "))
	}
	for _, twice := range images.twice {
		g.log.Warn(twice)
	}
	if f.clusterID = images.cluster; f.clusterID != "" && !clusterShape.MatchString(f.clusterID) {
		g.log.Warn("CLUSTER_ID is not used: a cluster id has 22 letters, digits, - and _", "value", f.clusterID)
		f.clusterID = ""
	}
	if len(f.createTopics) == 0 {
		f.createTopics = images.topics
	}
	typed, err := pairs("set", f.set)
	if err != nil {
		return nil, err
	}
	maps.Copy(settings, images.settings)
	maps.Copy(places, images.names)
	maps.Copy(settings, typed)
	for name := range typed {
		places[name] = cmp.Or(g.places["set"], "--set")
	}
	f.places = places
	return settings, nil
}

// dataOfSettings takes the folder from Kafka's log.dirs, or log.dir, where --data is not given. Of several folders the
// first is used: everything lies in one.
func (g *globals) dataOfSettings(f *brokerFlags, settings map[string]string) {
	named := "log.dirs"
	if settings[named] == "" {
		named = "log.dir"
	}
	first, others, several := strings.Cut(settings[named], ",")
	first = strings.TrimSpace(first)
	switch {
	case first == "":
	case f.data != "":
		if f.data != first {
			g.log.Info(fmt.Sprintf("--data %s is used, not %s=%s", f.data, named, settings[named]))
		}
	default:
		if f.data = first; several {
			g.log.Warn(fmt.Sprintf("everything lies in one folder: of %s only %s is used, not %s", named, first, others))
		}
	}
}
