package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// byte1 is what became of one byte of a file in the model.
type byte1 struct {
	records int  // that are of it
	skipped bool // left out before a record, or at the end
	gap     bool // the agent says that it is lost
}

// take gives a Topic the record of some bytes.
func take(t *Topic, partition int32, key string, pos line.Pos) {
	t.Take(partition, &record.Record{Key: []byte(key), Headers: []record.KV{{Key: []byte("app"), Value: []byte("x")}, {Key: []byte(line.HeaderPos), Value: pos.Append(nil)}}})
}

// TestVerifyAgreesWithALookAtEveryByte sends the lines of a file with some missing, some
// twice, in any order, and compares with a table of bytes.
func TestVerifyAgreesWithALookAtEveryByte(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 5))
		from, at := int64(r.IntN(2)*r.IntN(20)), int64(0)
		table := make([]byte1, from)
		at = from
		e := ledger.Entry{Host: "h", Path: "/p", Generation: "0000002a", Topic: "t", From: from, Skipped: ledger.Skipped{Start: from}}
		var sent []line.Pos
		for range r.IntN(30) {
			skip, length := int64(0), int64(1+r.IntN(9))
			if r.IntN(3) == 0 {
				skip = int64(r.IntN(12))
			}
			p := line.Pos{Generation: 42, Start: line.Position(at + skip), Length: length, Skipped: skip}
			table = append(table, slices.Repeat([]byte1{{skipped: true}}, int(skip))...)
			times := []int{1, 1, 1, 1, 1, 1, 1, 0, 2, 3}[r.IntN(10)]
			lost := times == 0 && r.IntN(2) == 0
			if times == 0 { // its skipped bytes go with it
				for i := at; i < at+skip; i++ {
					table[i].skipped = false
				}
			}
			table = append(table, slices.Repeat([]byte1{{records: times, gap: lost}}, int(length))...)
			for range times {
				sent = append(sent, p)
			}
			if at += skip + length; lost {
				e.Gaps = append(e.Gaps, ledger.Gap{From: at - length, To: at})
			}
		}
		if e.Tail = int64(r.IntN(2) * r.IntN(9)); e.Tail > 0 {
			table = append(table, slices.Repeat([]byte1{{skipped: true}}, int(e.Tail))...)
			at += e.Tail
		}
		e.Acked, e.Read = at, at
		topic := NewTopic("t", []ledger.Entry{e}, nil)
		r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
		for _, p := range sent {
			take(topic, 0, "h:/p", p)
		}
		files := topic.Result()
		if len(files) != 1 {
			t.Fatalf("seed %d: %d files came out, want 1", seed, len(files))
		}
		compare(t, fmt.Sprintf("seed %d, sent %v, entry %+v", seed, sent, e), files[0], table, from)
	}
}

func compare(t *testing.T, what string, f File, table []byte1, from int64) {
	t.Helper()
	in := func(list []Range, i int64) (bool, bool) {
		for _, x := range list {
			if i >= x.From && i < x.To {
				return true, x.Known
			}
		}
		return false, false
	}
	delivered, skipped := int64(0), from
	for i, b := range table {
		i := int64(i)
		lost, known := in(f.Lost, i)
		doubled, _ := in(f.Doubled, i)
		if wantLost := i >= from && b.records == 0 && !b.skipped; lost != wantLost || known != (wantLost && b.gap) || doubled != (b.records > 1) {
			t.Fatalf("%s: byte %d is lost %v (known %v), doubled %v; the table says %+v", what, i, lost, known, doubled, b)
		}
		if b.records > 0 {
			delivered++
		}
		if b.skipped {
			skipped++
		}
	}
	if f.Delivered != delivered || f.Skipped != skipped {
		t.Fatalf("%s: delivered %d, skipped %d; the table says %d and %d", what, f.Delivered, f.Skipped, delivered, skipped)
	}
}
