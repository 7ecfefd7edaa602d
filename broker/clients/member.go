package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// memberEnv makes a test program be a member of a group instead: it holds a task as JSON.
const memberEnv = "LOGHAUL_TEST_MEMBER"

// task is what a member is told.
type task struct{ Client, Addr, Group, Topic string }

// BeMember is called first in TestMain. In a program that was started as a member it is one until its standard input
// ends, and does not return. A member is a process so that it can be killed.
func BeMember(list ...Client) {
	spec := os.Getenv(memberEnv)
	if spec == "" {
		return
	}
	var told task
	if err := json.Unmarshal([]byte(spec), &told); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var mu sync.Mutex
	for _, c := range list {
		if c.Name != told.Client {
			continue
		}
		err := c.Member(ctx, told.Addr, told.Group, told.Topic, func(r Record) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Printf("%d %d %s\n", r.Partition, r.Offset, r.Value)
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	fmt.Fprintf(os.Stderr, "no client %q\n", told.Client)
	os.Exit(2)
}

// crew are the members of one group, and who of them read what.
type crew struct {
	t  testing.TB
	c  Client
	to task
	mu struct {
		sync.Mutex
		seen    map[string]int
		members []*member
	}
}

// member is one process.
type member struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan error // closed after its one value
	read  int        // records, under the crew's lock
	parts map[string]bool
}

// newCrew makes a group without members.
func newCrew(t testing.TB, c Client, addr, topic string) *crew {
	g := &crew{t: t, c: c, to: task{Client: c.Name, Addr: addr, Group: Name("group"), Topic: topic}}
	g.mu.seen = map[string]int{}
	return g
}

// join starts one more member; it ends with the test at the latest.
func (g *crew) join() *member {
	g.t.Helper()
	spec, err := json.Marshal(g.to)
	if err != nil {
		g.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		g.t.Fatal(err)
	}
	m := &member{cmd: exec.Command(exe), ended: make(chan error, 1), parts: map[string]bool{}}
	m.cmd.Env = append(os.Environ(), memberEnv+"="+string(spec))
	m.cmd.Stderr = os.Stderr
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		g.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.mu.members = append(g.mu.members, m)
	g.mu.Unlock()
	go func() {
		defer close(m.ended)
		g.follow(m, out)
		m.ended <- m.cmd.Wait()
	}()
	g.t.Cleanup(m.kill)
	return m
}

// follow counts what a member says it has read.
func (g *crew) follow(m *member, out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var partition, offset int64
		if _, err := fmt.Sscan(lines.Text(), &partition, &offset); err != nil {
			g.t.Errorf("%s says %q", g.c.Name, lines.Text())
			continue
		}
		g.mu.Lock()
		m.read++
		m.parts[fmt.Sprint(partition)] = true
		g.mu.seen[fmt.Sprintf("%d/%d", partition, offset)]++
		g.mu.Unlock()
	}
}

// kill ends a member without a word to the broker.
func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

// leave ends a member as its program would.
func (g *crew) leave(m *member) {
	g.t.Helper()
	_ = m.in.Close()
	if err := <-m.ended; err != nil {
		g.t.Errorf("a member of %s ended with %v", g.c.Name, err)
	}
}

// count is how many records a member has read.
func (g *crew) count(m *member) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return m.read
}

// distinct is how many different records the group has read.
func (g *crew) distinct() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.mu.seen)
}

// wantOnce complains about what was read more than once.
func (g *crew) wantOnce() {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	twice, example := 0, ""
	for at, n := range g.mu.seen {
		if n != 1 {
			twice, example = twice+1, fmt.Sprintf("%s %d times", at, n)
		}
	}
	if twice > 0 {
		g.t.Errorf("%s: %d records were read more than once by one group, %s", g.c.Name, twice, example)
	}
}
