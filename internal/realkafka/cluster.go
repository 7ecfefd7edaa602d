package realkafka

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is an Apache Kafka of several nodes, each broker and controller, that runs for a
// test. A record is acknowledged to acks=all when all but one of its replicas have it.
type Cluster struct {
	// Addrs are the nodes' addresses, parted by commas.
	Addrs string

	nodes []*node
}

// node is one of a cluster, whose life may be taken and given again.
type node struct {
	addr  string
	start func() *exec.Cmd
	said  bytes.Buffer // read after the end of the program only
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
}

// StartCluster starts as many nodes and waits until they serve. They end with the test.
func StartCluster(t testing.TB, nodes int, properties map[string]string) *Cluster {
	t.Helper()
	driver := Compile(t, V4, "Driver", driverSource)
	var last error
	for range 3 { // a free port can be taken before Kafka has it
		c := planCluster(t, driver, nodes, properties)
		if last = c.run(t); last == nil {
			t.Cleanup(c.stop)
			return c
		}
		c.stop()
	}
	t.Fatalf("starting an Apache Kafka %s of %d nodes: %v", V4, nodes, last)
	return nil
}

// planCluster chooses ports and writes the properties of each node, numbered from 1.
func planCluster(t testing.TB, driver string, nodes int, properties map[string]string) *Cluster {
	t.Helper()
	dir, ports := t.TempDir(), free(t, 2*nodes)
	all, least := strconv.Itoa(nodes), strconv.Itoa(max(1, nodes-1))
	c := &Cluster{Addrs: strings.Join(ports[:nodes], ",")}
	var voters []string
	for i, addr := range ports[nodes:] {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, addr))
	}
	for i := range nodes {
		more := map[string]string{
			"node.id": strconv.Itoa(i + 1), "controller.quorum.voters": strings.Join(voters, ","),
			"listeners":                  "PLAINTEXT://" + ports[i] + ",CONTROLLER://" + ports[nodes+i],
			"log.dirs":                   filepath.ToSlash(filepath.Join(dir, "logs"+strconv.Itoa(i+1))),
			"default.replication.factor": all, "min.insync.replicas": least,
			"offsets.topic.replication.factor": all, "transaction.state.log.replication.factor": all, "transaction.state.log.min.isr": least,
			"share.coordinator.state.topic.replication.factor": all, "share.coordinator.state.topic.min.isr": least,
			"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500", // so that a dead leader is replaced soon
		}
		maps.Copy(more, properties)
		_, text := plan(t, dir, Config{Version: V4, Properties: more})
		file := filepath.Join(dir, "node"+strconv.Itoa(i+1)+".properties")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		c.nodes = append(c.nodes, &node{addr: ports[i], start: func() *exec.Cmd {
			return command(t, V4, "384m", []string{driver}, "Driver", "broker", file, "--ignore-formatted", "--cluster-id", clusterID)
		}})
	}
	return c
}

// run starts all nodes and waits until each serves.
func (c *Cluster) run(t testing.TB) error {
	t.Helper()
	for _, n := range c.nodes {
		if err := n.launch(); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := n.ready(t); err != nil {
			return err
		}
	}
	return nil
}

// Kill ends a node, numbered from 1, as kill -9 does.
func (c *Cluster) Kill(number int) {
	n := c.nodes[number-1]
	stop(n.cmd, n.stdin, n.ended)
}

// Restart starts a node again that was killed, and waits until it serves.
func (c *Cluster) Restart(t testing.TB, number int) {
	t.Helper()
	n := c.nodes[number-1]
	err := n.launch()
	if err == nil {
		err = n.ready(t)
	}
	if err != nil {
		t.Fatalf("starting node %d of an Apache Kafka again: %v", number, err)
	}
}

// stop kills all nodes.
func (c *Cluster) stop() {
	for _, n := range c.nodes {
		if n.ended != nil {
			stop(n.cmd, n.stdin, n.ended)
		}
	}
}

// launch starts the program of a node.
func (n *node) launch() error {
	n.cmd = n.start()
	n.said.Reset()
	n.cmd.Stdout, n.cmd.Stderr = &n.said, &n.said
	stdin, err := n.cmd.StdinPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("starting java: %w", err)
	}
	n.stdin, n.ended = stdin, make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait() // it is killed in the end
	}(n.cmd, n.ended)
	return nil
}

// ready waits until the node serves; when it does not, the node is ended.
func (n *node) ready(t testing.TB) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := ready(ctx, n.addr, n.ended); err != nil {
		stop(n.cmd, n.stdin, n.ended)
		return fmt.Errorf("%w\n%s", err, n.said.String())
	}
	return nil
}
