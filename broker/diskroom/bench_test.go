package diskroom

import (
	"fmt"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// BenchmarkAdmit is what each partition of a Produce request pays.
func BenchmarkAdmit(b *testing.B) {
	for name, size := range map[string]int64{"without": 0, "budget": 1 << 50} {
		b.Run(name, func(b *testing.B) {
			r := roomOf(b, Config{Budget: size}, 1, 0)
			r.measure()
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := r.Admit("web_log", 100); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkLook is what is done each second while something is written, and several times while clients are refused.
func BenchmarkLook(b *testing.B) {
	for name, used := range map[string]int{"with room": 100, "blocked": budget} {
		b.Run(name, func(b *testing.B) {
			r := roomOf(b, Config{Budget: budget}, 10_000, used)
			b.ReportAllocs()
			for b.Loop() {
				r.want(1)
				r.look(b.Context())
			}
		})
	}
}

// roomOf has so many logs with so many bytes together, and five groups that read them.
func roomOf(b *testing.B, cfg Config, logs, bytes int) *Room {
	var list []Partition
	var claims []Claim
	for g := range 5 {
		claims = append(claims, Claim{Group: fmt.Sprint("g", g), Members: 1, Subscribed: []string{"web_log"}, Committed: map[At]record.Offset{}})
	}
	for i := range int32(logs) {
		l := newFakeLog()
		l.append(1, bytes/logs)
		list = append(list, Partition{Topic: "web_log", Index: i, Log: l})
		for _, c := range claims {
			c.Committed[At{"web_log", i}] = 0
		}
	}
	cfg.Ballast, cfg.Dir = -1, b.TempDir()
	cfg.Partitions, cfg.Groups = func() []Partition { return list }, func() []Claim { return claims }
	r, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return r
}
