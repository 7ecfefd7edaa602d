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
		if latest, err := r.Check(batch, 1<<20); err != nil || latest != 1+299 {
			t.Errorf("%s: latest time %d, %v, want that of the last record, 300", codec, latest, err)
		}
		if _, err := r.Check(batch, 100); !errors.Is(err, ErrTooLarge) {
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
		latest, err := r.Check(batch, 1<<20)
		if err != nil {
			return
		}
		n, read := int32(0), int64(-1)
		if err := r.Read(batch, 1<<20, func(rec *Record) error {
			read = max(read, rec.Timestamp)
			if rec.Offset != Offset(n) {
				t.Fatalf("record %d has offset %d", n, rec.Offset)
			}
			n++
			return nil
		}); err != nil || n != max(count, 0) || read != latest {
			t.Fatalf("Check accepts %d records until %d, Read finds %d until %d and %v", count, latest, n, read, err)
		}
	})
}

func be32(b []byte, v int32) {
	b[0], b[1], b[2], b[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}
