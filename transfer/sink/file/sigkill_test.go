package file

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/sink/sinktest"
	"go.uber.org/goleak"
)

const childRoot = "LOGHAUL_TEST_FILE_SINK_ROOT"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		writeUntilKilled(root)
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled stores batch after batch and says on standard output what it commits. Its parent kills it.
func writeUntilKilled(root string) {
	var committed record.Offset
	fmt.Sscan(os.Getenv("LOGHAUL_TEST_COMMITTED"), &committed)
	set := Settings{path: template{parts: []string{"", "topic", "/", "partition", ".log"}}, compression: "none", rollBytes: 100_000, single: true}
	s, err := Open(Config{Name: "out", Root: root, Host: "web-1", Settings: set})
	if err != nil {
		panic(err)
	}
	next, err := s.Assign(context.Background(), sink.Assignment{Topic: "web_log", Incarnation: "id", Start: committed, Left: sink.NoOffset})
	if err != nil {
		panic(err)
	}
	for {
		b := sink.Batch{Topic: "web_log", First: next, Next: next + 1 + rand.N[record.Offset](800)}
		for o := b.First; o < b.Next; o++ {
			b.Records = append(b.Records, sink.Record{Offset: o, Time: 1_700_000_000_000, Value: []byte(sinktest.Line("web_log", 0, o))})
		}
		if err := s.Write(context.Background(), b); err != nil {
			panic(err)
		}
		next = b.Next
		fmt.Println(next) // the commit
	}
}

// A process is killed again and again, each time at another moment. At the end every line is there once.
func TestAProcessKilledAtAnyMomentLosesAndDoublesNothing(t *testing.T) {
	f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","roll":{"bytes":100000,"age":"0s"}}`)
	var committed record.Offset
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childRoot+"="+f.root, fmt.Sprintf("LOGHAUL_TEST_COMMITTED=%d", committed))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatalf("starting the child: %v", err)
		}
		commits := bufio.NewScanner(out)
		if !commits.Scan() {
			t.Fatal("the child ended before it stored anything")
		}
		kill := time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
		for more := true; more; more = commits.Scan() {
			fmt.Sscan(commits.Text(), &committed)
		}
		kill.Stop()
		cmd.Wait() // says that it was killed
	}
	s := f.Open(t)
	from := assign(t, s, committed, sink.NoOffset)
	write(t, s, from, from+10)
	wantLines(t, f, [2]record.Offset{0, from + 10})
	t.Logf("%d lines after %d kills", from+10, rounds)
}
