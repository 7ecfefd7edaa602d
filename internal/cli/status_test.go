package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/etcdconf"
)

// publishAgent keeps an agent's status in etcd until the test ends.
func publishAgent(t *testing.T, url string, s etcdconf.AgentStatus) {
	t.Helper()
	c, err := etcdconf.Dial(etcdconf.Config{Endpoints: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 100)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.Publisher(etcdconf.AgentKey(s.Host), "").Run(ctx, func() any {
			select {
			case asked <- struct{}{}:
			default:
			}
			return s
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("publishing ended with: %v", err)
		}
		c.Close()
	})
	<-asked
	<-asked // the first one is stored before the second is asked for
	<-asked
}

func TestStatusOfAHealthyHouse(t *testing.T) {
	etcd := etcdFor(t)
	loghaul(t, "status", "--etcd", etcd).want(t, exitDone, "no agent has been seen", "no transfer has been seen")
	publishAgent(t, etcd, etcdconf.AgentStatus{
		Host: "web-1", Instance: "i", Inputs: []etcdconf.InputStatus{{Name: "nginx", Topic: "web_log", State: etcdconf.StateApplied, Revision: 7, Files: 2}},
		Streams: []etcdconf.StreamStatus{{Path: "/a.log", Input: "nginx", Topic: "web_log", Position: 10, Size: 15, Lag: 5}},
	})
	var r struct {
		Agents []struct {
			Host, State string
			Inputs      []struct {
				Name, State, Error string
				Revision           int64
				Files              int
			}
		}
		Transfers []any
		Files     []struct {
			Host, Path string
			Lag_bytes  int64
		}
	}
	o := loghaul(t, "status", "-o", "json", "--etcd", etcd).want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || len(r.Agents) != 1 || r.Agents[0].State != "LIVE" || r.Agents[0].Inputs[0].Files != 2 || r.Agents[0].Inputs[0].Revision != 7 || r.Transfers == nil {
		t.Errorf("status -o json printed %s (%v)", o.stdout, err)
	}
	o = loghaul(t, "status", "files", "-o", "json", "--etcd", etcd).want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || len(r.Files) != 1 || r.Files[0].Host != "web-1" || r.Files[0].Lag_bytes != 5 {
		t.Errorf("status files -o json printed %s (%v)", o.stdout, err)
	}
	if o := loghaul(t, "status", "agents", "--etcd", etcd).want(t, exitDone); !strings.Contains(o.stdout, "APPLIED") || strings.Contains(o.stdout, "TRANSFER") {
		t.Errorf("status agents printed %s", o.stdout)
	}
	if o := loghaul(t, "status", "agents", "-o", "name", "--etcd", etcd).want(t, exitDone); o.stdout != "web-1\n" {
		t.Errorf("status agents -o name printed %q", o.stdout)
	}
	loghaul(t, "status", "everything", "--etcd", etcd).want(t, exitUsage, "everything")

	watched := begin(t, strings.NewReader(""), "status", "agents", "--watch", "--etcd", etcd)
	watched.until(&watched.stdout, "nginx")
	watched.end()
}

func TestStatusWithAFailedInputIsDegraded(t *testing.T) {
	etcd := etcdFor(t)
	publishAgent(t, etcd, etcdconf.AgentStatus{
		Host: "web-1", Instance: "i", Inputs: []etcdconf.InputStatus{{Name: "nginx", State: etcdconf.StateFailed, Error: "outside the allowed roots"}},
	})
	o := loghaul(t, "status", "--etcd", etcd).want(t, exitDegraded, "nginx", "web-1", "outside the allowed roots")
	if !strings.Contains(o.stdout, "FAILED") {
		t.Errorf("status printed %s", o.stdout)
	}
	loghaul(t, "status", "transfers", "--etcd", etcd).want(t, exitDone)
}

func TestWhatIsNotAsItShouldBeIsJudged(t *testing.T) {
	for want, r := range map[string]report{
		"the agent on h is gone":           {Agents: []etcdconf.AgentStatus{{Host: "h", State: etcdconf.StateLost}}},
		"cannot be read":                   {Agents: []etcdconf.AgentStatus{{Host: "h", State: etcdconf.StateFailed}}},
		"the transfer t is gone":           {Transfers: []etcdconf.TransferStatus{{ID: "t", State: etcdconf.StateLost}}},
		"sink es STOPPED in transfer t: x": {Transfers: []etcdconf.TransferStatus{{ID: "t", State: etcdconf.StateLive, Routes: []etcdconf.RouteStatus{{Sink: "es", State: etcdconf.StateStopped, Error: "x"}}}}},
		"":                                 {Agents: []etcdconf.AgentStatus{{Host: "h", State: etcdconf.StateLive, Inputs: []etcdconf.InputStatus{{State: etcdconf.StateOverlapped}, {State: etcdconf.StatePaused}}}}},
	} {
		if r.judge(); (want == "") != (r.degraded == "") || !strings.Contains(r.degraded, want) {
			t.Errorf("judged %q, want %q", r.degraded, want)
		}
	}
}
