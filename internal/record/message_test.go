package record

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

var oldCodecs = []Codec{None, Gzip, Snappy, Lz4}

// plainRecord is a record without headers, as formats 0 and 1 have it.
type plainRecord struct {
	offset     Offset
	ms         int64
	key, value []byte
}

// readPlain reads the records of a batch.
func readPlain(t testing.TB, batch []byte) []plainRecord {
	t.Helper()
	var out []plainRecord
	err := new(Reader).Read(batch, 1<<24, func(r *Record) error {
		out = append(out, plainRecord{r.Offset, r.Timestamp, bytes.Clone(r.Key), bytes.Clone(r.Value)})
		return nil
	})
	if err != nil {
		t.Fatalf("reading a batch of %d bytes: %v", len(batch), err)
	}
	return out
}

// readOld reads a message set as a client does: it knows wrappers, and adds relative offsets up.
func readOld(t testing.TB, set []byte) []plainRecord {
	t.Helper()
	var out []plainRecord
	for len(set) > 0 {
		m, rest, err := nextMessage(set)
		if err != nil {
			t.Fatalf("message behind %d records: %v", len(out), err)
		}
		set = rest
		if m.codec() == None {
			out = append(out, plainRecord{m.offset, m.timestamp, m.key, m.value})
			continue
		}
		var d decompressor
		inner, err := d.decompressOld(m.value, m.codec(), m.magic, 1<<24)
		if err != nil {
			t.Fatalf("unpacking a wrapper: %v", err)
		}
		within := readOld(t, inner)
		if m.magic == 1 {
			base := m.offset - within[len(within)-1].offset
			for i := range within {
				within[i].offset += base
			}
		}
		out = append(out, within...)
	}
	return out
}

// randomRecords are some with and some without key and value.
func randomRecords(r *rand.Rand, n int) []plainRecord {
	field := func() []byte {
		if r.IntN(4) == 0 {
			return nil
		}
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte('a' + r.IntN(4))
		}
		return b
	}
	var out []plainRecord
	for i := range n {
		out = append(out, plainRecord{Offset(i), 1000 + r.Int64N(50), field(), field()})
	}
	return out
}

// sealPlain makes a batch of them.
func sealPlain(t testing.TB, records []plainRecord, codec Codec) []byte {
	t.Helper()
	b := NewBuilder(1024)
	latest := int64(-1)
	for _, r := range records {
		b.appendNullable(r.ms-records[0].ms, r.key, r.value)
		latest = max(latest, r.ms)
	}
	batch, err := b.Seal(nil, NoProducer, codec, records[0].ms, latest)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestRecordsSurviveTheWayToOldFormatsAndBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var c Converter
	for _, codec := range oldCodecs {
		for _, magic := range []int8{0, 1} {
			for round := range 40 {
				name := fmt.Sprintf("%s, format %d, round %d", codec, magic, round)
				want := randomRecords(r, 1+r.IntN(60))
				batch := sealPlain(t, want, codec)
				Stamp(batch, 5000, 3)
				set, _, err := c.Downgrade(nil, batch, magic, 0, 1<<20, 1<<20)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for i := range want {
					want[i].offset += 5000
					if magic == 0 {
						want[i].ms = -1
					}
				}
				if got := readOld(t, set); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: got %v, want %v", name, got, want)
				}
				back, n, err := c.Upgrade(nil, set, Upgrade{Largest: 1 << 20, Limit: 1 << 20, Codec: -1})
				if err != nil || n != len(want) || !CheckCRC(back) {
					t.Fatalf("%s, and back: %d records, %v", name, n, err)
				}
				h, _ := ParseHeader(back)
				if h.Codec() != codec || h.ProducerID != -1 || h.BaseSequence != -1 || h.BaseOffset != 0 || int(h.LastOffsetDelta) != n-1 {
					t.Fatalf("%s, and back: header %+v", name, h)
				}
				for i := range want {
					want[i].offset = Offset(i)
				}
				if got := readPlain(t, back); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s, and back: got %v, want %v", name, got, want)
				}
			}
		}
	}
}

func TestUncompressedBatchesAreCutToWhatWasAskedFor(t *testing.T) {
	var c Converter
	batch := sealPlain(t, randomRecords(rand.New(rand.NewPCG(3, 4)), 20), None)
	for from := range Offset(20) {
		for _, most := range []int{0, 100, 1000, 1 << 20} {
			set, whole, err := c.Downgrade([]byte("before"), batch, 1, from, most, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			got := readOld(t, set[6:])
			if len(got) == 0 || got[0].offset != from || len(got) > 1 && len(set)-6 > most {
				t.Errorf("from %d, at most %d bytes: %d records from %d on in %d bytes", from, most, len(got), got[0].offset, len(set)-6)
			}
			if last := got[len(got)-1].offset == 19; whole != last {
				t.Errorf("from %d, at most %d bytes: ends at %d, and whole is %v", from, most, got[len(got)-1].offset, whole)
			}
			if most == 1<<20 && len(got) != 20-int(from) {
				t.Errorf("from %d: %d records, want all the rest", from, len(got))
			}
		}
	}
	if set, _, err := c.Downgrade(nil, batch, 1, 20, 1000, 1<<20); err != nil || len(set) != 0 {
		t.Errorf("from behind the batch: %d bytes, %v", len(set), err)
	}
}

func TestDowngradeLeavesOutWhatOldFormatsCannotSay(t *testing.T) {
	var c Converter
	one := []plainRecord{{0, 7, []byte("k"), []byte("v")}}
	if _, _, err := c.Downgrade(nil, sealPlain(t, one, Zstd), 1, 0, 1<<20, 1<<20); !errors.Is(err, ErrNoOldForm) {
		t.Errorf("zstd: %v, want ErrNoOldForm", err)
	}
	control := sealPlain(t, one, None)
	control[atAttributes+1] |= attrControl
	if set, _, err := c.Downgrade(nil, control, 1, 0, 1<<20, 1<<20); err != nil || len(set) != 0 {
		t.Errorf("a control batch: %d bytes, %v, want none", len(set), err)
	}
	for _, codec := range oldCodecs {
		timed := sealPlain(t, []plainRecord{{0, 7, nil, nil}, {1, 9, nil, nil}}, codec)
		SetAppendTime(timed, 4711)
		set, _, err := c.Downgrade(nil, timed, 1, 0, 1<<20, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := nextMessage(set)
		if err != nil || !m.logAppendTime() || m.timestamp != 4711 {
			t.Errorf("%s with log append time: %+v, %v", codec, m, err)
		}
		for _, r := range readOld(t, set) {
			if r.ms != 4711 {
				t.Errorf("%s with log append time: a record of %d", codec, r.ms)
			}
		}
		if _, _, err := c.Downgrade(nil, timed, 1, 0, 1<<20, 5); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s that may have 5 bytes: %v, want ErrTooLarge", codec, err)
		}
	}
}

func TestRepackKeepsEverythingButTheCodec(t *testing.T) {
	var c Converter
	records := randomRecords(rand.New(rand.NewPCG(5, 6)), 30)
	for _, from := range []Codec{None, Gzip, Snappy, Lz4, Zstd} {
		for _, to := range []Codec{None, Gzip, Snappy, Lz4, Zstd} {
			batch := sealPlain(t, records, from)
			SetProducer(batch, Producer{ID: 5, Epoch: 6, Sequence: 7})
			SetTransactional(batch)
			out, err := c.Repack([]byte("before"), batch, to, Fast, 1<<20)
			if err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			out = out[6:]
			h, err := ParseHeader(out)
			if err != nil || !CheckCRC(out) || h.Size() != len(out) || h.Codec() != to || !h.Transactional() || h.ProducerID != 5 || h.BaseSequence != 7 {
				t.Errorf("%s to %s: header %+v, %v", from, to, h, err)
			}
			if got := readPlain(t, out); !reflect.DeepEqual(got, records) {
				t.Errorf("%s to %s: other records", from, to)
			}
			if _, err := c.Repack(nil, batch, to, Fast, 10); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s to %s, 10 bytes unpacked: %v, want ErrTooLarge", from, to, err)
			}
		}
	}
}

// A packed batch may hold a thousand times its own bytes, and messages are larger than records: what a wrapper takes is
// bounded, and whoever asks on and on gets each record.
func TestLargePackedBatchesBecomeSeveralWrappers(t *testing.T) {
	const n = 70_000
	b := NewBuilder(n * 8)
	for range n {
		b.Append(0, nil, nil, 0, nil)
	}
	for _, codec := range oldCodecs[1:] {
		batch, err := b.Seal(nil, NoProducer, codec, 5, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, magic := range []int8{0, 1} {
			var c Converter
			var set []byte
			asked := 0
			for from, whole := Offset(0), false; !whole; asked++ {
				if set, whole, err = c.Downgrade(set[:0], batch, magic, from, 1, 1<<24); err != nil || len(set) == 0 {
					t.Fatalf("%s, format %d, from %d: %d bytes, %v", codec, magic, from, len(set), err)
				}
				for _, r := range readOld(t, set) {
					if r.offset != from {
						t.Fatalf("%s, format %d: offset %d, want %d", codec, magic, r.offset, from)
					}
					from++
				}
				if whole && from != n {
					t.Fatalf("%s, format %d: the last record is %d, want %d", codec, magic, from-1, n-1)
				}
			}
			if asked < 2 || cap(c.inner) > 2*mostWrapped {
				t.Errorf("%s, format %d: %d wrappers, and a buffer of %d bytes", codec, magic, asked, cap(c.inner))
			}
		}
	}
}

// The levels are all that Kafka's settings allow.
func TestLevelsOfCodecsHaveAnEffect(t *testing.T) {
	records := randomRecords(rand.New(rand.NewPCG(7, 8)), 300)
	batch := sealPlain(t, records, None)
	var c Converter
	for codec, levels := range map[Codec][]Level{Gzip: {1, -1, 0, 9}, Lz4: {9, 17, 1, 12}, Zstd: {-131072, 22, 0, 3}} {
		var sizes []int
		for _, level := range levels {
			out, err := c.Repack(nil, batch, codec, level, 1<<24)
			if err != nil || !reflect.DeepEqual(readPlain(t, out), records) {
				t.Fatalf("%s at level %d: %v", codec, level, err)
			}
			sizes = append(sizes, len(out))
		}
		if sizes[1] >= sizes[0] { // the second tries harder than the first
			t.Errorf("%s at %v: %v bytes", codec, levels, sizes)
		}
	}
}
