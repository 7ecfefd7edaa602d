package record

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestTheSumOfTwoPiecesIsThatOfTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		whole := make([]byte, n*n)
		for i := range whole {
			whole[i] = byte(r.Uint32())
		}
		cut := r.IntN(len(whole) + 1)
		a, b := crc32.Checksum(whole[:cut], castagnoli), crc32.Checksum(whole[cut:], castagnoli)
		if got, want := concat(a, b, len(whole)-cut), crc32.Checksum(whole, castagnoli); got != want {
			t.Fatalf("%d and %d bytes: %08x, want %08x", cut, len(whole)-cut, got, want)
		}
	}
}

func fill(b *Builder, r *rand.Rand) {
	for range 1 + r.IntN(40) {
		value := make([]byte, r.IntN(300))
		for i := range value {
			value[i] = 'a' + byte(r.UintN(4))
		}
		b.Append(0, []byte("key"), value, 1, AppendHeader(nil, "pos", value[:len(value)/2]))
	}
}

func TestWhatIsTradedIsWhatWouldBeSealed(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, codec := range []Codec{None, Snappy, Lz4} {
		b, free, sent := NewBuilder(100), []byte(nil), [][]byte{}
		var kept [][]byte
		for round := range 50 {
			fill(b, r)
			p := Producer{ID: 7, Epoch: 1, Sequence: int32(round)}
			sum := b.CRC()
			want, err := b.Seal(nil, p, codec, 5, 6)
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.Trade(free, Producer{ID: 1}, codec, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			if got, err = b.Trade(got, p, codec, 5, 6); err != nil { // anew, under another number
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) || !CheckCRC(got) || b.CRC() != sum || b.Count() == 0 {
				t.Fatalf("%s, round %d: the traded batch is another one than the sealed one", codec, round)
			}
			b.Reset()
			sent, kept = append(sent, got), append(kept, want)
			if free = nil; round%3 == 2 { // an older one is acknowledged
				if !bytes.Equal(sent[0], kept[0]) {
					t.Fatalf("%s, round %d: a batch that was given away has changed", codec, round)
				}
				free, sent, kept = sent[0], sent[1:], kept[1:]
			}
		}
	}
}

func TestAnUntradedBatchGoesOn(t *testing.T) {
	for _, codec := range []Codec{None, Snappy} {
		b := NewBuilder(100)
		b.Append(0, nil, []byte("one"), 0, nil)
		given := make([]byte, 0, 1000)
		got, err := b.Trade(given, NoProducer, codec, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		back := b.Untrade(got)
		if &back[:1][0] != &given[:1][0] {
			t.Errorf("%s: another buffer came back than was given", codec)
		}
		clear(back[:cap(back)]) // it is free
		b.Append(0, nil, []byte("two"), 0, nil)
		sealed, err := b.Seal(nil, NoProducer, codec, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var r Reader
		var values []string
		if err := r.Read(sealed, 1000, func(rec *Record) error { values = append(values, string(rec.Value)); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(values) != 2 || values[0] != "one" || values[1] != "two" {
			t.Errorf("%s: the batch holds %q", codec, values)
		}
	}
}

func TestAnEmptyBuilderCanBeTraded(t *testing.T) {
	var b Builder
	batch, err := b.Trade(nil, NoProducer, None, 0, 0)
	if err != nil || len(batch) != HeaderSize || !CheckCRC(batch) {
		t.Errorf("an empty builder gave %d bytes, %v", len(batch), err)
	}
	if b.Reset(); b.Len() != 0 || len(b.Bytes()) != 0 {
		t.Error("it holds something after that")
	}
}
