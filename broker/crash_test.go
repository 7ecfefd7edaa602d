package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// childEnv names the data folder of a broker that this test binary runs in place of its tests.
const childEnv = "LOGHAUL_TEST_BROKER"

// runChild is the life of such a process: it says when it serves and waits to be killed.
func runChild(spec string) {
	dir, addr, _ := strings.Cut(spec, "|")
	b, err := broker.New(broker.Config{Data: dir, Listen: []string{addr}, Settings: map[string]string{"log.segment.bytes": "65536"}})
	if err == nil {
		go func() {
			<-b.Ready()
			fmt.Println("ready")
		}()
		err = b.Run(context.Background())
	}
	fmt.Println(err)
	os.Exit(1)
}

// spawn starts a broker as another process and returns when it serves.
func spawn(t *testing.T, dir, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir+"|"+addr)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the broker process said %q (%v)", line, err)
	}
	return cmd
}

// kill ends a process as kill -9 does and waits for its end.
func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestKilledBrokerKeepsWhatItAcknowledgedOnce(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	r := &running{t: t, addr: addr}
	child := spawn(t, dir, addr)
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(500),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.RecordRetries(1000), kgo.MetadataMinAge(20*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var acked atomic.Int64
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				stopped <- n
				return
			default:
			}
			cl.Produce(ctx, &kgo.Record{Topic: "web_log", Value: fmt.Appendf(nil, "line %d", n)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("a record was given up: %v", err)
					cancel()
				}
				acked.Add(1)
			})
		}
	}()
	for range 4 {
		before := acked.Load()
		eventually(t, "another 2000 acknowledgements", func() bool { return acked.Load() > before+2000 || ctx.Err() != nil })
		kill(child)
		child = spawn(t, dir, addr)
	}
	close(stop)
	n := <-stopped
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	wantLines(t, r.consume("web_log", n), n)
}

func TestClusterIDIsTheSameAfterAKill(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	var ids []string
	for range 2 {
		child := spawn(t, dir, addr)
		r := &running{t: t, addr: addr}
		ids = append(ids, r.clusterID())
		kill(child)
	}
	if ids[0] != ids[1] || len(ids[0]) != 22 {
		t.Errorf("cluster ids are %q", ids)
	}
}
