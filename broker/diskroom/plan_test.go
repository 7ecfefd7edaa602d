package diskroom

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
)

// someShelves are a few logs of several topics, as chance will have them.
func someShelves(r *rand.Rand) []*shelf {
	var list []*shelf
	for i := range 1 + r.IntN(6) {
		s := &shelf{Partition: Partition{Topic: string(rune('a' + r.IntN(3))), Index: int32(i), Spared: r.IntN(8) == 0}}
		s.letter = s.Topic == "c"
		next, written, sealed := record.Offset(r.IntN(5)), time.Unix(int64(r.IntN(50)), 0), r.IntN(6)
		for n := range 1 + r.IntN(6) {
			p := commitlog.Piece{Base: next, Next: next + record.Offset(1+r.IntN(4)), Bytes: int64(1 + r.IntN(9)), Written: written, Sealed: n < sealed}
			s.pieces = append(s.pieces, p)
			next, written = p.Next, written.Add(time.Duration(r.IntN(20))*time.Second)
		}
		s.pieces[len(s.pieces)-1].Sealed = false
		for g := range r.IntN(3) {
			s.holds = append(s.holds, hold{group: fmt.Sprint("g", g), from: record.Offset(r.IntN(int(next) + 3))})
		}
		list = append(list, s)
	}
	return list
}

// mayGo says by itself, segment by segment, what block allows.
func mayGo(s *shelf, i int) bool {
	ok := !s.Spared && len(s.holds) > 0
	for _, p := range s.pieces[:i+1] {
		ok = ok && p.Sealed
	}
	for _, h := range s.holds {
		ok = ok && s.pieces[i].Next <= h.from
	}
	return ok
}

func TestBlockDeletesWhatEveryLiveGroupHasCommittedOldestFirst(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		shelves, need := someShelves(r), int64(r.IntN(60))
		plan := planBlock(shelves, need)
		taken, last := map[*shelf]int{}, time.Time{}
		var freed, all int64
		for n, v := range plan {
			if v.piece != taken[v.shelf] || !mayGo(v.shelf, v.piece) {
				t.Fatalf("seed %d: segment %d of %s goes at %d", seed, v.piece, in(v.shelf.Topic, int(v.shelf.Index)), n)
			}
			if w := v.shelf.pieces[v.piece].Written; w.Before(last) {
				t.Fatalf("seed %d: a younger segment goes before an older one", seed)
			} else {
				last = w
			}
			if freed >= need {
				t.Fatalf("seed %d: more goes than is needed", seed)
			}
			taken[v.shelf]++
			freed += v.shelf.pieces[v.piece].Bytes
		}
		for _, s := range shelves {
			for i := range s.pieces {
				if mayGo(s, i) {
					all += s.pieces[i].Bytes
				}
			}
		}
		if freed < min(need, all) {
			t.Fatalf("seed %d: %d bytes go of %d that are needed, and %d might", seed, freed, need, all)
		}
	}
}

func TestDropTakesTheOldestOfTheLargestTopicAgainAndAgain(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		shelves, need := someShelves(r), int64(r.IntN(100))
		var plain []string
		for _, v := range planDrop(shelves, need) {
			plain = append(plain, fmt.Sprint(in(v.shelf.Topic, int(v.shelf.Index)), " ", v.piece))
		}
		if want := dropModel(shelves, need); !slices.Equal(plain, want) {
			t.Fatalf("seed %d: %v go, want %v", seed, plain, want)
		}
	}
}

// dropModel says the same in other words: it throws away one segment, looks at everything anew, and so on.
func dropModel(shelves []*shelf, need int64) (gone []string) {
	left := make([][]commitlog.Piece, len(shelves))
	for i, s := range shelves {
		left[i] = s.pieces
	}
	for need > 0 {
		sizes := map[string]int64{}
		for i, s := range shelves {
			for _, p := range left[i] {
				sizes[s.Topic] += p.Bytes
			}
		}
		var can []int
		for i, s := range shelves {
			if !s.Spared && left[i][0].Sealed {
				can = append(can, i)
			}
		}
		if len(can) == 0 {
			break
		}
		slices.SortStableFunc(can, func(a, b int) int {
			x, y := shelves[a], shelves[b]
			switch {
			case x.letter != y.letter:
				return map[bool]int{true: 1, false: -1}[x.letter]
			case x.Topic != y.Topic && sizes[x.Topic] != sizes[y.Topic]:
				return int(sizes[y.Topic] - sizes[x.Topic])
			case x.Topic != y.Topic:
				return int(x.Topic[0]) - int(y.Topic[0])
			}
			return left[a][0].Written.Compare(left[b][0].Written)
		})
		i := can[0]
		gone = append(gone, fmt.Sprint(in(shelves[i].Topic, int(shelves[i].Index)), " ", len(shelves[i].pieces)-len(left[i])))
		need -= left[i][0].Bytes
		left[i] = left[i][1:]
	}
	return gone
}
