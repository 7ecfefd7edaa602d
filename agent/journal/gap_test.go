package journal

import (
	"slices"
	"testing"
)

func TestGapsSurviveAndCountOnce(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	g, err := j.Register(Generation{Topic: "web_log", ID: ID{Inode: 7}, Path: "/var/log/a.log"})
	if err != nil {
		t.Fatal(err)
	}
	j.Gap(g.Ref, Gap{From: 100, To: 150, AtLeast: true})
	j.Gap(g.Ref, Gap{From: 100, To: 150, AtLeast: true})
	j.Gap(g.Ref, Gap{From: 140, To: 160})
	want := []Gap{{100, 150, true}, {150, 160, false}}
	for life := range 3 {
		have, _ := j.Get(g.Ref)
		if !slices.Equal(have.Gaps, want) || have.Lost != 60 || have.Position != 0 {
			t.Fatalf("life %d: gaps %v, lost %d, position %d; want %v, 60, 0", life, have.Gaps, have.Lost, have.Position, want)
		}
		if life == 1 {
			if _, err := j.Register(Generation{Topic: "web_log", ID: ID{Inode: 7}, Ended: true}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, dir)
	}
	for i := range 2 * gapsMost {
		j.Gap(g.Ref, Gap{From: pos(int64(1000 + 10*i)), To: pos(int64(1005 + 10*i))})
	}
	if have, _ := j.Get(g.Ref); len(have.Gaps) != gapsMost || have.Lost != 60+5*2*gapsMost {
		t.Errorf("%d gaps by their place and %d bytes lost, want %d and %d", len(have.Gaps), have.Lost, gapsMost, 60+5*2*gapsMost)
	}
}
