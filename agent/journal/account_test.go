package journal

import (
	"math/rand/v2"
	"testing"

	"github.com/loghaul/loghaul/internal/line"
)

// TestTheAccountAgreesWithItsModelThroughCrashes counts what was left out on purpose by
// hand, while batches are begun, acknowledged, split and lost in crashes.
func TestTheAccountAgreesWithItsModelThroughCrashes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		j := openWith(t, Config{Dir: t.TempDir(), CompactBytes: 1500})
		want, doubles, open := Skips{}, int64(0), []*Entry(nil)
		some := func() Skips { return Skips{int64(r.IntN(3) * r.IntN(9)), int64(r.IntN(2) * r.IntN(5))} }
		for step := range 200 {
			g := register(t, j, 1)
			switch k := r.IntN(8); {
			case k == 0:
				left := some()
				if err := j.Skip(g.Ref, g.Begun, g.Begun+line.Position(left.Filtered+left.Overlong+1), left); err != nil {
					t.Fatal(err)
				}
				want = want.Plus(left)
			case k == 1:
				n := int64(r.IntN(3))
				j.Doubled(g.Ref, n)
				doubles += n
			case k < 4 && len(open) > 0:
				e := open[0]
				open = open[1:]
				j.Done(e.Seq, 1)
				for _, x := range e.Ranges {
					want = want.Plus(x.Skips)
				}
			case k == 4 && len(open) > 0:
				one, two := *open[0], *open[len(open)-1]
				fresh, old := []*Entry{&one}, []Seq{one.Seq}
				if two.Seq != one.Seq {
					fresh, old = append(fresh, &two), append(old, two.Seq)
				}
				if err := j.Replace(old, fresh); err != nil {
					t.Fatal(err)
				}
				open[0], open[len(open)-1] = fresh[0], fresh[len(fresh)-1]
			default:
				e := batch(g, int32(step), 1, g.Begun, g.Begun+10)
				e.Ranges[0].Skips = some()
				open = append(open, begin(t, j, e))
			}
			if r.IntN(20) == 0 {
				j = openWith(t, j.cfg)
			}
			if err := j.compactIfLong(); err != nil {
				t.Fatal(err)
			}
			if got := register(t, j, 1); got.Skips != want || got.Doubles != doubles || got.From != 0 {
				t.Fatalf("seed %d, step %d: the account says %+v and %d doubles from %d; the model %+v and %d", seed, step, got.Skips, got.Doubles, got.From, want, doubles)
			}
		}
	}
}

func TestWhereReadingBeganIsKept(t *testing.T) {
	j := open(t, t.TempDir())
	for inode, want := range map[uint64]Generation{1: {Position: 0}, 2: {Position: 70}, 3: {Position: 70, From: Unknown}} {
		want.Topic, want.ID.Inode, want.Name = "t", inode, line.Generation(inode)
		if _, err := j.Register(want); err != nil {
			t.Fatal(err)
		}
	}
	j = crash(t, j)
	for inode, want := range map[uint64]line.Position{1: 0, 2: 70, 3: Unknown} {
		g, _ := j.Known("t", ID{Inode: inode})
		g.Ended, g.From = true, 5
		if g, err := j.Register(g); err != nil || g.From != want {
			t.Errorf("generation %d began at %d, %v, want %d", inode, g.From, err, want)
		}
	}
}

func TestChangedTellsEachChangeOnce(t *testing.T) {
	j := open(t, t.TempDir())
	for n := range 10 {
		register(t, j, n)
	}
	seen := map[line.Generation]int{}
	for {
		list := j.Changed(3)
		if len(list) == 0 {
			break
		}
		if len(list) > 3 {
			t.Fatalf("%d changes at once, want 3 at most", len(list))
		}
		for _, g := range list {
			seen[g.Name]++
		}
	}
	if len(seen) != 10 {
		t.Errorf("%v were told, want each of the ten once", seen)
	}
	g, _ := j.Known("web_log", ID{FS: 1, Inode: 4, Birth: 7})
	for what, change := range map[string]func(){
		"a batch": func() { j.Done(begin(t, j, batch(g, 0, 1, 0, 10)).Seq, 1) },
		"a gap":   func() { j.Gap(g.Ref, Gap{From: 50, To: 60}) },
		"a skip": func() {
			if err := j.Skip(g.Ref, 10, 20, Skips{Filtered: 10}); err != nil {
				t.Fatal(err)
			}
		},
		"a double": func() { j.Doubled(g.Ref, 1) },
	} {
		if change(); len(j.Changed(9)) != 1 || len(j.Changed(9)) != 0 {
			t.Errorf("%s: want it told once", what)
		}
	}
	if lost, doubles := j.Sums(); lost != 10 || doubles != 1 {
		t.Errorf("%d bytes are lost and %d records doubtful, want 10 and 1", lost, doubles)
	}
	j.Forget(g.Ref)
	if list := j.Forgotten(); len(list) != 1 || list[0].Name != g.Name || list[0].Path != g.Path || len(j.Forgotten()) != 0 {
		t.Errorf("forgotten are %+v, want generation 4 once", list)
	}
}

func TestWhatWasBegunForAnEarlierTopicIsKnown(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	send := func(id byte, from, to line.Position) {
		e := batch(g, int32(from), 1, from, to)
		e.TopicID = TopicID{id}
		j.Done(begin(t, j, e).Seq, 1)
	}
	want := func(when string, id byte, earlier line.Position) {
		t.Helper()
		for range 2 {
			if got := register(t, j, 1); got.TopicID != (TopicID{id}) || got.Earlier != earlier {
				t.Errorf("%s: topic %v, before %d an earlier one; want %v and %d", when, got.TopicID[0], got.Earlier, id, earlier)
			}
			j = crash(t, j)
		}
	}
	send(1, 0, 10)
	send(1, 10, 20)
	want("one topic", 1, 0)
	send(2, 20, 30)
	send(2, 30, 40)
	want("made anew", 2, 20)
	if err := j.compactNow(); err != nil {
		t.Fatal(err)
	}
	want("compacted", 2, 20)
	doubt := batch(g, 40, 1, 40, 50)
	doubt.TopicID = TopicID{2}
	begin(t, j, doubt)
	again := *doubt
	again.TopicID = TopicID{3}
	if err := j.Replace([]Seq{doubt.Seq}, []*Entry{&again}); err != nil {
		t.Fatal(err)
	}
	want("a batch in doubt begun for the third", 3, 40)
}
