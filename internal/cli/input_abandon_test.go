package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/agent/journal"
)

func TestAbandonShowsItsPlanBeforeItActs(t *testing.T) {
	data := t.TempDir()
	loghaul(t, "input", "abandon", "web").want(t, exitUsage, "--data", "--help")
	loghaul(t, "input", "abandon", "web", "--data", data).want(t, exitFailed, "no agent has its journal in "+data)

	// What an agent under up leaves behind: one batch that nobody has acknowledged.
	j, err := journal.Open(journal.Config{Dir: filepath.Join(data, "agent", "journal")})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	g, err := j.Register(journal.Generation{Topic: "web_log", Path: "/var/log/a.log"})
	if err != nil {
		t.Fatal(err)
	}
	in, err := j.KeepInput("web", 1, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	e := &journal.Entry{Partition: journal.Partition{Topic: "web_log", Number: 3}, Count: 7, Input: in, Ranges: []journal.Range{{Ref: g.Ref, End: 500, HardEnd: 500, Count: 7}}}
	if err := j.Begin(e); err != nil {
		t.Fatal(err)
	}

	loghaul(t, "input", "abandon", "other", "--data", data, "--yes").want(t, exitDone, "nothing of input other is in doubt")
	var plan struct {
		Input  string
		Unsent []struct {
			Topic                     string
			Partition, Records, Bytes int
		}
	}
	o := loghaul(t, "input", "abandon", "web", "--data", data, "-o", "json").want(t, exitDone, "nothing was changed; --yes")
	if err := json.Unmarshal([]byte(o.stdout), &plan); err != nil || len(plan.Unsent) != 1 || plan.Unsent[0].Records != 7 || plan.Unsent[0].Bytes != 500 || plan.Unsent[0].Partition != 3 {
		t.Errorf("the plan is %s, %v", o.stdout, err)
	}
	asked := filepath.Join(data, "agent", "abandon", "web")
	if _, err := os.Stat(asked); err == nil {
		t.Error("the plan alone asks the agent")
	}
	loghaul(t, "input", "abandon", "web", "--data", data, "--yes").want(t, exitDone, "gives them up")
	if _, err := os.Stat(asked); err != nil {
		t.Errorf("the agent is not asked: %v", err)
	}
}
