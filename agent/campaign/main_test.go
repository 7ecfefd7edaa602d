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
const asLoghaul = "TEST_AS_LOGHAUL"

var (
	kills  = flag.Int("kills", 0, "how many processes a campaign kills; 0 is a few dozen, or a few with -short")
	seed   = flag.Uint64("seed", 0, "what the moments of a campaign are drawn from; 0 draws one")
	only   = flag.String("styles", "", "the styles of rotation, by name and comma; without, all of them, or with no -kills those that compress nothing")
	rate   = flag.Int("rate", 1000, "lines a second that each program writes")
	folder = flag.String("keep", "", "an empty folder for all files, which stays; without, a temporary one")
)

func TestMain(m *testing.M) {
	if os.Getenv(asLoghaul) != "" {
		os.Exit(cli.Main())
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// length is what the flag says, or else what a short or a usual run takes.
func length(short, usual int) int {
	switch {
	case *kills != 0:
		return *kills
	case testing.Short():
		return short
	}
	return usual
}

// over tells whether a campaign has killed enough: all that it wanted, or without the flag
// at least the first few when it has taken its time.
func over(done, wanted int, began time.Time, usual time.Duration) bool {
	return done >= wanted || *kills == 0 && done >= 4 && time.Since(began) > usual
}

// draw is the campaign's seed.
func draw() uint64 {
	if *seed != 0 {
		return *seed
	}
	return uint64(time.Now().UnixNano())
}
