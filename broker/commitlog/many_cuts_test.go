package commitlog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// A log whose power goes again and again, and that is never closed in between: what a
// start has cut off, or counts as durable, must hold at the next one too.
func TestAfterManyPowerCutsAllThatWasDurableIsThere(t *testing.T) {
	for seed := range seeds(t, 5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 5))
			dir := logDir(t)
			var values []string
			for life := range 15 {
				fsys := crashdisk.New()
				whole := rng.IntN(2) == 0
				recheck := int64(rng.IntN(2)) // or all of it: what the point vouches for is not looked at
				s := NewSyncer(SyncerConfig{Whole: fsys})
				l := openWith(t, dir, Config{SegmentBytes: int64(700 + rng.IntN(20000)), IndexInterval: 200, LeaderEpoch: int32(life), Disk: fsys, RecheckBytes: recheck}, s)
				if life > 0 {
					if high := len(values); int(l.End()) > high {
						t.Fatalf("life %d: %d were sent, %d are there", life, high, l.End())
					}
					values = values[:l.End()]
				}
				sameValues(t, readAllValues(t, l, 0, 900), values)
				for range rng.IntN(25) {
					switch rng.IntN(8) {
					case 0:
						if whole {
							s.syncWhole([]*Log{l})
						} else {
							l.sync()
						}
					case 1:
						if rng.IntN(3) == 0 {
							l.writePoint()
						}
					case 2:
						if rng.IntN(3) == 0 {
							if err := l.Seal(); err != nil {
								t.Fatal(err)
							}
						}
					default:
						var batch []string
						for range 1 + rng.IntN(4) {
							batch = append(batch, fmt.Sprintf("%d-%d-%s", life, len(values)+len(batch), strings.Repeat("v", rng.IntN(500))))
						}
						a := appendTo(t, l, batchOf(t, record.NoProducer, 1000, batch...))
						if int(a.Base) != len(values) {
							t.Fatalf("life %d: batch %d went to %d", life, len(values), a.Base)
						}
						values = append(values, batch...)
					}
				}
				high := l.HighWatermark()
				sameValues(t, readAllValues(t, l, 0, 900), values[:high])
				cut := powerCut(t, fsys, rng, dir)
				l.Abandon()
				dir = cut
				look, err := Open(copyDir(t, dir), Config{Disk: unsyncedDisk{}}, nil)
				if err != nil {
					t.Fatalf("life %d: %v", life, err)
				}
				if look.End() < high || int(look.End()) > len(values) {
					t.Fatalf("life %d: %d were durable and %d sent, %d are there", life, high, len(values), look.End())
				}
				look.Abandon()
			}
		})
	}
}
