package campaign

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/cli"
	"go.uber.org/goleak"
)

// asLoghaul, set in a child's environment, makes this test binary the program itself.
const asLoghaul = "LOGHAUL_CAMPAIGN_CHILD"

var (
	kills    = flag.Int("kills", 0, "how often a campaign kills the broker; 0 is 6, or 3 with -short")
	cuts     = flag.Int("cuts", 0, "how often a campaign cuts the power; 0 is 20, or 6 with -short")
	duration = flag.Duration("for", 0, "how long a campaign lets the broker run; 0 is 20s, or 8s with -short")
	seed     = flag.Uint64("seed", 0, "what the moments of a campaign are drawn from; 0 draws one")
)

func TestMain(m *testing.M) {
	if os.Getenv(asLoghaul) != "" {
		os.Exit(cli.Main())
	}
	flag.Parse()
	// A group that leaves while its broker is away now and then keeps one goroutine of the client, which waits for ever.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kgo.(*Client).LeaveGroupContext.func1"))
}

// length is what a flag says, or else what a short or a usual run takes.
func length[T int | time.Duration](flag, short, usual T) T {
	switch {
	case flag != 0:
		return flag
	case testing.Short():
		return short
	}
	return usual
}

// usual is how long a run without flags may take on a machine that has other things to do; it ends early then.
const usual = 15 * time.Second

// over tells whether a run has done enough: all of a campaign, and of a run without flags at least the first few.
func over(done, wanted, flag int, began time.Time) bool {
	return done >= wanted || flag == 0 && done >= 3 && time.Since(began) > usual
}

// draw is the campaign's seed.
func draw() uint64 {
	if *seed != 0 {
		return *seed
	}
	return uint64(time.Now().UnixNano())
}
