package realkafka

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config says what kind of broker to start.
type Config struct {
	// Version [V4].
	Version Version
	// Listeners beside the plain one, by security protocol: SASL_PLAINTEXT, SSL, SASL_SSL.
	Listeners []string
	// Properties are added to those of the smallest broker, and win over them.
	Properties map[string]string
	// Features are the levels of features that are not to have their default.
	Features map[string]int
}

// Broker is a real Apache Kafka of one node that runs for a test.
type Broker struct {
	// Addr is where it serves without any security.
	Addr string
	// Logs is the folder that holds its partitions.
	Logs string

	others map[string]string // addresses by security protocol
	ask    func() error      // asks it to end
	ended  <-chan struct{}
}

// Stop ends the broker as an operator does, and waits until it has closed its logs.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if err := b.ask(); err != nil {
		t.Fatalf("asking a Kafka to end: %v", err)
	}
	select {
	case <-b.ended:
	case <-time.After(time.Minute):
		t.Fatal("the Kafka does not end within a minute")
	}
}

// Listener is the address of a further listener.
func (b *Broker) Listener(protocol string) string { return b.others[protocol] }

// Start starts a broker with a data folder of its own and waits until it serves. It ends with the test.
func Start(t testing.TB, cfg Config) *Broker {
	t.Helper()
	if cfg.Version == "" {
		cfg.Version = V4
	}
	driver := Compile(t, cfg.Version, "Driver", driverSource)
	dir := t.TempDir()
	var last error
	for range 3 { // a free port can be taken before Kafka has it
		b, properties := plan(t, dir, cfg)
		file := filepath.Join(dir, "server.properties")
		if err := os.WriteFile(file, properties, 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{"Driver", "broker", file, "--ignore-formatted", "--cluster-id", clusterID} // log.dirs may name a folder of an earlier one
		for name, level := range cfg.Features {
			args = append(args, "--feature", fmt.Sprintf("%s=%d", name, level))
		}
		cmd := command(t, cfg.Version, "512m", []string{driver}, args...)
		if last = run(t, cmd, b); last == nil {
			return b
		}
		if err := os.RemoveAll(b.Logs); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("starting Apache Kafka %s: %v", cfg.Version, last)
	return nil
}

// clusterID is any: 16 bytes in Kafka's base64.
const clusterID = "MkU3OEVBNTcwNTJENDM2Qg"

// plan chooses ports and writes the properties of a broker.
func plan(t testing.TB, dir string, cfg Config) (*Broker, []byte) {
	t.Helper()
	ports := free(t, 2+len(cfg.Listeners))
	b := &Broker{Addr: ports[0], Logs: filepath.Join(dir, "logs"), others: map[string]string{}}
	listeners := []string{"PLAINTEXT://" + ports[0], "CONTROLLER://" + ports[1]}
	protocols := []string{"PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"}
	for i, protocol := range cfg.Listeners {
		b.others[protocol] = ports[2+i]
		listeners = append(listeners, protocol+"://"+ports[2+i])
		protocols = append(protocols, protocol+":"+protocol)
	}
	properties := map[string]string{
		"process.roles":                            "broker,controller",
		"node.id":                                  "1",
		"listeners":                                strings.Join(listeners, ","),
		"controller.listener.names":                "CONTROLLER",
		"inter.broker.listener.name":               "PLAINTEXT",
		"listener.security.protocol.map":           strings.Join(protocols, ","),
		"controller.quorum.voters":                 "1@" + ports[1],
		"log.dirs":                                 filepath.ToSlash(b.Logs),
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.num.partitions":     "1",
		"transaction.state.log.min.isr":            "1",
		"group.initial.rebalance.delay.ms":         "0",
	}
	if cfg.Version == V4 {
		properties["share.coordinator.state.topic.replication.factor"] = "1"
		properties["share.coordinator.state.topic.min.isr"] = "1"
	}
	maps.Copy(properties, cfg.Properties)
	var file bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&file, "%s=%s\n", name, properties[name])
	}
	return b, file.Bytes()
}

// free finds addresses that nobody listens on, all different.
func free(t testing.TB, n int) []string {
	t.Helper()
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all are held until all are known
		list = append(list, "127.0.0.1:"+strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return list
}

// run starts the broker and waits until it serves. It is killed when the test ends: its data folder goes too.
func run(t testing.TB, cmd *exec.Cmd, b *Broker) error {
	t.Helper()
	var said bytes.Buffer // read after the end of the program only
	cmd.Stdout, cmd.Stderr = &said, &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting java: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed in the end
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b.ask, b.ended = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, ended
	err = ready(ctx, b.Addr, ended)
	if err != nil {
		stop(cmd, stdin, ended)
		return fmt.Errorf("%w\n%s", err, said.String())
	}
	t.Cleanup(func() { stop(cmd, stdin, ended) })
	return nil
}

// stop kills the program and waits for its end.
func stop(cmd *exec.Cmd, stdin io.Closer, ended <-chan struct{}) {
	_ = stdin.Close()
	end(cmd)
	<-ended
}

// ready waits until both coordinators answer: they are the last to come up.
func ready(ctx context.Context, addr string, ended <-chan struct{}) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if serves(ctx, cl) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return fmt.Errorf("the broker at %s ended", addr)
		case <-ctx.Done():
			return fmt.Errorf("waiting for the broker at %s: %w", addr, ctx.Err())
		}
	}
}

// serves asks for a producer id and for the coordinators of a group and of a transaction.
func serves(ctx context.Context, cl *kgo.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	node := cl.SeedBrokers()[0]
	id := kmsg.NewPtrInitProducerIDRequest()
	answer, err := node.Request(ctx, id)
	if err != nil || answer.(*kmsg.InitProducerIDResponse).ErrorCode != 0 {
		return false
	}
	for kind := range int8(2) {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorType, find.CoordinatorKeys = kind, []string{"ready"}
		answer, err := node.Request(ctx, find)
		if err != nil {
			return false
		}
		for _, c := range answer.(*kmsg.FindCoordinatorResponse).Coordinators {
			if c.ErrorCode != 0 {
				return false
			}
		}
	}
	list := kmsg.NewPtrListGroupsRequest()
	groups, err := node.Request(ctx, list)
	return err == nil && groups.(*kmsg.ListGroupsResponse).ErrorCode == 0
}
