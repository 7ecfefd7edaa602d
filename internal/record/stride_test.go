package record

import (
	"math/rand/v2"
	"testing"
)

// unlike builds records of every form that stride takes, and of those that it leaves to sound.
func unlike(r *rand.Rand, count int) *Builder {
	b := NewBuilder(64 << 10)
	sizes := []int{0, 1, 62, 63, 64, 65, 200, 8190, 8192, 8193}
	for range count {
		times := []int64{0, 1, -1, 63, 64, -64, -65, 8191, 8192, 1 << 19, 1 << 20, -1 << 20, 1 << 40}
		var key, value []byte
		if r.IntN(2) == 0 {
			key = make([]byte, sizes[r.IntN(7)])
		}
		if r.IntN(8) > 0 {
			value = make([]byte, sizes[r.IntN(len(sizes))])
		}
		n := max(0, r.IntN(8)-4)
		b.Append(times[r.IntN(len(times))], key, value, n, headers(n))
	}
	return b
}

// stepped is what sound alone says about so many records.
func stepped(body []byte, count int32, first int64) (walk, bool) {
	w := walk{body: body, count: count, first: first, Summary: Summary{Earliest: -1, Latest: -1}}
	for w.number < w.count {
		if !w.step() {
			return w, false
		}
	}
	return w, w.at == len(body)
}

// strode is what both together say.
func strode(body []byte, count int32, first int64) (walk, bool) {
	w := walk{body: body, count: count, first: first, Summary: Summary{Earliest: -1, Latest: -1}}
	for w.stride(); w.number < w.count; w.stride() {
		if !w.step() {
			return w, false
		}
	}
	return w, w.at == len(body)
}

func agree(t *testing.T, body []byte, count int32, first int64) {
	t.Helper()
	slow, want := stepped(body, count, first)
	fast, got := strode(body, count, first)
	if got != want || fast.Summary != slow.Summary || fast.at != slow.at || fast.number != slow.number {
		t.Fatalf("stride: %v at %d, record %d, %+v\n sound: %v at %d, record %d, %+v\n%x",
			got, fast.at, fast.number, fast.Summary, want, slow.at, slow.number, slow.Summary, body[:min(len(body), 200)])
	}
}

// Whole, with any one byte changed and with any bytes cut off at the end, a batch is sound for stride when it is for sound.
func TestStrideAgreesWithSound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	for range 16 {
		b := unlike(r, 1+r.IntN(130))
		body := append([]byte(nil), b.Bytes()...)
		count, first := int32(b.Count()), int64(r.IntN(3)-1)
		agree(t, body, count, first)
		if _, ok := strode(body, count, first); !ok {
			t.Fatalf("a batch of %d records is not sound", count)
		}
		for range 200 {
			at, was := r.IntN(len(body)), byte(0)
			was, body[at] = body[at], byte(r.Uint32())
			agree(t, body, count, first)
			body[at] = was
			agree(t, body[:r.IntN(len(body))], count, first)
			agree(t, body, count+int32(r.IntN(3))-1, first)
		}
	}
}

// Long batches of short records: the common case goes by stride alone, but for the last few.
func TestStrideTakesNearlyAll(t *testing.T) {
	b := NewBuilder(64 << 10)
	for i := range 2000 {
		b.Append(int64(i), nil, make([]byte, 127), 0, nil)
	}
	w := walk{body: b.Bytes(), count: 2000, Summary: Summary{Earliest: -1, Latest: -1}}
	if w.stride(); w.number < 1999 {
		t.Fatalf("stride stopped before record %d of 2000", w.number)
	}
}

func FuzzStrideAgreesWithSound(f *testing.F) {
	b := unlike(rand.New(rand.NewPCG(1, 2)), 20)
	f.Add(append([]byte(nil), b.Bytes()...), int32(20), int64(0))
	f.Add([]byte{12, 0, 0, 0, 1, 1, 0}, int32(1), int64(-1))
	f.Fuzz(func(t *testing.T, body []byte, count int32, first int64) { agree(t, body, count, first) })
}
