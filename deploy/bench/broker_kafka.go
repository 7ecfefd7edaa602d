package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wantedKafka is the version that is looked for where none is named.
const wantedKafka = "4.3.1"

// errNoKafka says that a comparison is not to be had on this machine.
var errNoKafka = errors.New("there is no Apache Kafka beside it")

// apacheKafka is an Apache Kafka that is installed here.
type apacheKafka struct {
	java, jars, version, heap string
}

// findKafka finds Java and the jars. What was not asked for by name and is not there is errNoKafka.
func findKafka(cfg Setup) (*apacheKafka, error) {
	if cfg.Kafka == "none" {
		return nil, fmt.Errorf("%w, as was asked for", errNoKafka)
	}
	dirs := []string{cfg.Kafka, filepath.Join(cfg.Kafka, "lib"), filepath.Join(cfg.Kafka, "libs")}
	if cfg.Kafka == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoKafka, err)
		}
		dirs = []string{filepath.Join(cache, "loghaul", "kafka-"+wantedKafka, "lib")}
	}
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "kafka-clients-*.jar"))
		if len(found) == 0 {
			continue
		}
		java, err := exec.LookPath("java")
		if err != nil {
			return nil, fmt.Errorf("%w: its jars are in %s, but java is not installed", errNoKafka, dir)
		}
		name := strings.TrimSuffix(filepath.Base(found[0]), ".jar")
		return &apacheKafka{java, dir, strings.TrimPrefix(name, "kafka-clients-"), cmp.Or(cfg.KafkaHeap, "1g")}, nil
	}
	if cfg.Kafka != "" {
		return nil, fmt.Errorf("--kafka %s: neither it nor its lib or libs holds kafka-clients-VERSION.jar: name the folder of an unpacked Apache Kafka", cfg.Kafka)
	}
	return nil, fmt.Errorf("%w: no jars in %s (.ci/install brings them; --kafka names another folder)", errNoKafka, dirs[0])
}

func (*apacheKafka) name() string { return apache }

// jvm is a command in a JVM as Kafka's own start scripts run it.
func (k *apacheKafka) jvm(heap string, args ...string) *exec.Cmd {
	cmd := exec.Command(k.java, append([]string{"-Xmx" + heap, "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
		"-cp", filepath.Join(k.jars, "*")}, args...)...)
	cmd.Env = ownEnv(os.Environ())
	return cmd
}

// start formats the folder if it is empty and runs a broker of one node on it, with Kafka's own settings but for the
// copies that a single node cannot have.
func (k *apacheKafka) start(ctx context.Context, data string) (*process, string, error) {
	var last error
	for range 3 { // a free port can be taken before Kafka has it
		addr, controller, err := freePorts()
		if err != nil {
			return nil, "", err
		}
		file := data + ".properties"
		if err := os.WriteFile(file, properties(data, addr, controller), 0o600); err != nil {
			return nil, "", err
		}
		if _, err := os.Stat(filepath.Join(data, "meta.properties")); err != nil {
			cmd := k.jvm("256m", "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file)
			if out, err := cmd.CombinedOutput(); err != nil {
				return nil, "", fmt.Errorf("formatting a folder for Apache Kafka: %w\n%s", err, out)
			}
		}
		cmd := k.jvm(k.heap, "kafka.Kafka", file)
		cmd.Args = append(cmd.Args[:1:1], append([]string{"-Xms" + k.heap}, cmd.Args[1:]...)...)
		pr, err := spawn("Apache Kafka", cmd)
		if err != nil {
			return nil, "", err
		}
		if last = serves(ctx, pr, addr); last == nil {
			return pr, addr, nil
		}
		pr.kill()
	}
	return nil, "", last
}

func properties(data, addr, controller string) []byte {
	return fmt.Appendf(nil, `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
`, addr, controller, filepath.ToSlash(data))
}

// serves waits until the broker gives producer ids: that comes last.
func serves(ctx context.Context, pr *process, addr string) error {
	return retry(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		select {
		case <-pr.ended:
			return pr.failed("ended before it was ready")
		default:
		}
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version = 1
		resp, err := call(ctx, addr, req)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.(*kmsg.InitProducerIDResponse).ErrorCode)
	})
}

// freePorts are two local addresses that nobody listens on.
func freePorts() (a, b string, err error) {
	var list [2]string
	for i := range list {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close() // both are held until both are known
		list[i] = l.Addr().String()
	}
	return list[0], list[1], nil
}
