package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

func TestDrainSendsWhatIsThereAndEndsTheAgent(t *testing.T) {
	h := newHost(t, "web_log:3")
	h.put(h.path("a.log"), "one\ntwo\nno end")
	h.put(h.path("b.log"), "three\n")
	h.input("web", "")
	data := filepath.Join(h.dir, "agent")
	loghaul(t, "agent", "drain").want(t, exitUsage, "--data")
	loghaul(t, "agent", "drain", "--data", data).want(t, exitFailed, "no agent runs there", "--once")

	agent := begin(t, nil, h.agentArgs()...)
	agent.ready()
	loghaul(t, "agent", "drain", "--data", data).want(t, exitDone, "everything is acknowledged", "6 bytes stay behind")
	<-agent.done
	if agent.code != exitDone {
		t.Errorf("the agent ended with %d", agent.code)
	}
	if files := h.verify(exitDone); len(files) != 2 || files[0].Delivered != 8 || files[0].Waiting != 6 || files[1].Delivered != 6 {
		t.Errorf("verify shows %+v", files)
	}
	for _, name := range []string{"drain", "drained"} {
		if _, err := os.Stat(filepath.Join(data, name)); err == nil {
			t.Errorf("%s is left in the agent's folder", name)
		}
	}
}

func TestDrainComesToAnEndWhileLinesAreWritten(t *testing.T) {
	h := newHost(t, "web_log:1")
	h.input("web", "")
	f, err := os.Create(h.path("a.log"))
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	written := make(chan int, 1)
	go func() {
		n := 0
		for ; !over.Load(); n++ {
			fmt.Fprintf(f, "line %d\n", n)
			<-time.After(2 * time.Millisecond) // a program that logs now and then
		}
		written <- n
	}()
	agent := begin(t, nil, h.agentArgs()...)
	agent.ready()
	loghaul(t, "agent", "drain", "--data", filepath.Join(h.dir, "agent"), "--timeout", "30s").want(t, exitDone)
	over.Store(true)
	if n := <-written; n == 0 {
		t.Error("nothing was written")
	}
	<-agent.done
	f.Close()
	h.verify(exitDone)
	h.once()
	h.verify(exitDone)
}

func TestDrainThatCannotBeLeavesTheAgentRunning(t *testing.T) {
	h := newHost(t, "web_log:1")
	h.put(h.path("a.log"), "one\n")
	h.input("web", "")
	h.broker = "127.0.0.1:1" // where nobody answers
	agent := begin(t, nil, h.agentArgs()...)
	agent.ready()
	data := filepath.Join(h.dir, "agent")
	loghaul(t, "agent", "drain", "--data", data, "--timeout", "300ms").want(t, exitFailed, "within 300ms and goes on", "--timeout")
	select {
	case <-agent.done:
		t.Error("the agent has ended")
	default:
	}
	if _, err := os.Stat(filepath.Join(data, "drain")); err == nil {
		t.Error("the request stands though nobody waits")
	}
	agent.end()
}
