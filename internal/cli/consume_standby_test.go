package cli

import (
	"testing"
	"time"
)

func TestAMemberWithoutPartitionsWaitsAndTakesOver(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:1")
	at := b.ready()["broker"]
	args := []string{"consume", "t", "--group", "g", "--brokers", at}
	loghaulWith(t, "first\n", "produce", "t", "--brokers", at).want(t, exitDone)
	one := begin(t, nil, args...)
	one.until(&one.stdout, "first")
	two := begin(t, nil, args...)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if s := groupsAt(t, at, exitDone)["g"]; s.Members == 2 && s.State == "Stable" {
			break
		}
		select {
		case <-tick.C:
		case <-two.done:
			t.Fatalf("the second member ended with %d", two.code)
		case <-late:
			t.Fatal("the group never had two members")
		}
	}
	one.end()
	loghaulWith(t, "second\n", "produce", "t", "--brokers", at).want(t, exitDone)
	two.until(&two.stdout, "second")
	two.end()
	b.end()
}
