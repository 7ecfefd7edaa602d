package cli

import (
	"fmt"
	"path/filepath"
	"testing"
)

func TestOnceFailsWhenAnInputMayReadNothing(t *testing.T) {
	h := newHost(t, "web_log:1")
	outside := filepath.Join(h.dir, "elsewhere.log")
	h.put(outside, "never sent\n")
	h.put(filepath.Join(h.dir, "inputs", "web.json"), fmt.Sprintf(`{"paths":[%q],"topic":"web_log"}`, outside))
	loghaul(t, h.agentArgs("--once")...).want(t, exitFailed, "input web: ", "is outside the allowed roots", "--allow-root")
	h.input("web", "") // matches no file yet
	h.once()
}

func TestANegativeNumberIsRefusedByTheNameOfItsFlag(t *testing.T) {
	loghaul(t, "agent", "--data", t.TempDir(), "--inputs", t.TempDir(), "--etcd", "none", "--max-open", "-1").want(t, exitFailed, "(--max-open)")
}
