package e2e

import (
	"flag"
	"os"
	"testing"

	"github.com/loghaul/loghaul/internal/cli"
	"go.uber.org/goleak"
)

// asLoghaul, set in a child's environment, makes this test binary the program itself.
const asLoghaul = "LOGHAUL_E2E_CHILD"

var (
	kills = flag.Int("kills", 0, "how many processes a campaign kills; 0 is 12, or 4 with -short")
	seed  = flag.Uint64("seed", 0, "what the moments of the kills are drawn from; 0 draws one")
)

func TestMain(m *testing.M) {
	if os.Getenv(asLoghaul) != "" {
		os.Exit(cli.Main())
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}
