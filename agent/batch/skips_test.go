package batch

import (
	"testing"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// skips is what the ranges of an entry left out on purpose.
func skips(e *journal.Entry) (sum journal.Skips) {
	for _, r := range e.Ranges {
		sum = sum.Plus(r.Skips)
	}
	return sum
}

func TestWhatIsLeftOutIsCountedOnceWithItsReason(t *testing.T) {
	f := framer(t, func(in *etcdconf.Input) { in.Drop = []string{"^debug"} })
	src := file("one\ndebug 1\ntwo\n" + "0123456789" + "three\ndebug 2\n")
	b, s := New(0), f.Source(1, gen, "/var/log/a.log", 0, 0)
	b.Add(s, chunk(0, string(src[:16])))
	c := chunk(26, string(src[26:]))
	c.Skipped = 10 // the end of a long line
	b.Add(s, c)
	e := b.Entry(journalAt, journal.TopicID{}, record.NoProducer, 1)
	want := journal.Skips{Filtered: 8, Overlong: 10} // the last line waits for the next record, or for a skip
	if got := skips(e); got != want {
		t.Errorf("the batch left out %+v, want %+v", got, want)
	}
	if left := s.Left.Minus(s.Noted); left != (journal.Skips{Filtered: 8}) {
		t.Errorf("%+v waits to be counted, want the last line", left)
	}

	halves, err := Split(e, seal(t, b))
	if err != nil || len(halves) != 2 {
		t.Fatal(halves, err)
	}
	if got := skips(halves[0].Entry).Plus(skips(halves[1].Entry)); got != want {
		t.Errorf("its halves left out %+v, want %+v", got, want)
	}
	fresh, _, _, err := f.Reframe(e, src.fetch)
	if err != nil || skips(fresh) != want {
		t.Errorf("framed anew it left out %+v, %v, want %+v", skips(fresh), err, want)
	}

	b.Reset()
	s.Noted = s.Left // as after a skip was journaled
	b.Add(s, follow.Chunk{Generation: gen, Start: line.Position(len(src)), Data: []byte("four\n")})
	if got := skips(b.Entry(journalAt, journal.TopicID{}, record.NoProducer, 1)); got != (journal.Skips{}) {
		t.Errorf("what was counted by a skip is counted again: %+v", got)
	}
}
