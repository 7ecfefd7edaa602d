package record

import (
	"errors"
	"fmt"
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
		if got, err := r.Check(batch, 1<<20); err != nil || got != (Summary{Earliest: 1, Latest: 1 + 299}) {
			t.Errorf("%s: %+v, %v, want times from the first record's, 1, to the last's, 300, and a key in each", codec, got, err)
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
		got, err := r.Check(batch, 1<<20)
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
		}); err != nil || n != max(count, 0) || read != got.Latest {
			t.Fatalf("Check accepts %d records until %d, Read finds %d until %d and %v", count, got.Latest, n, read, err)
		}
	})
}

func be32(b []byte, v int32) {
	b[0], b[1], b[2], b[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}

// Lines of an access log, as the agent sends them and as they lie in a file: what each record costs on its way in.
func BenchmarkCheck(b *testing.B) {
	for _, bare := range []bool{false, true} {
		b.Run(fmt.Sprintf("bare=%v", bare), func(b *testing.B) { benchCheck(b, bare) })
	}
}

func benchCheck(b *testing.B, bare bool) {
	builder := NewBuilder(64 << 10)
	for i := 0; builder.Len() < 64<<10; i++ {
		line := fmt.Sprintf(`10.1.%d.%d - - [21/Nov/2026:11:%02d:%02d +0000] "GET /api/v1/items/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" %d.%03d`,
			i%256, i*7%256, i%60, i*13%60, i*7919, i*31%9999, i%3, i%1000)
		if bare {
			builder.Append(int64(i/100), nil, []byte(line), 0, nil)
			continue
		}
		builder.Append(0, []byte("host-1:/var/log/nginx/access.log"), []byte(line), 1, AppendHeader(nil, "pos", fmt.Appendf(nil, "0a1b2c3d:%d+171", i*171)))
	}
	batch, err := builder.Seal(nil, NoProducer, None, 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(batch)))
	var r Reader
	for b.Loop() {
		if _, err := r.Check(batch, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(builder.Count()), "ns/record")
}
