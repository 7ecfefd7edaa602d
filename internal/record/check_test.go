package record

import (
	"errors"
	"testing"
)

func TestCheckAgreesWithReadOnSoundBatches(t *testing.T) {
	for _, codec := range []Codec{None, Gzip, Snappy, Lz4, Zstd} {
		b := NewBuilder(1024)
		for i := range 300 {
			b.Append(int64(i), []byte("key"), make([]byte, i), i%3, headers(i%3))
		}
		batch, err := b.Seal(nil, NoProducer, codec, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		var r Reader
		if err := r.Check(batch, 1<<20); err != nil {
			t.Errorf("%s: %v", codec, err)
		}
		if err := r.Check(batch, 100); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s with a limit of 100 bytes: %v, want ErrTooLarge", codec, err)
		}
	}
}

func headers(n int) (b []byte) {
	for range n {
		b = AppendHeader(b, "h", []byte("v"))
	}
	return b
}

func FuzzCheckAcceptsOnlyWhatReadAccepts(f *testing.F) {
	b := NewBuilder(1024)
	b.Append(0, nil, []byte("value"), 2, headers(2))
	b.Append(5, []byte("key"), nil, 0, nil)
	f.Add(append([]byte(nil), b.Bytes()...), int32(2))
	f.Add([]byte{}, int32(0))
	f.Fuzz(func(t *testing.T, records []byte, count int32) {
		batch, err := NewBuilder(0).Seal(nil, NoProducer, None, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, records...)
		be32(batch[atLength:], int32(len(batch)-overhead))
		be32(batch[atCount:], count)
		be32(batch[atLastDelta:], count-1)
		var r Reader
		if r.Check(batch, 1<<20) != nil {
			return
		}
		n := int32(0)
		if err := r.Read(batch, 1<<20, func(rec *Record) error {
			if rec.Offset != Offset(n) {
				t.Fatalf("record %d has offset %d", n, rec.Offset)
			}
			n++
			return nil
		}); err != nil || n != max(count, 0) {
			t.Fatalf("Check accepts %d records, Read finds %d and %v", count, n, err)
		}
	})
}

func be32(b []byte, v int32) {
	b[0], b[1], b[2], b[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}
