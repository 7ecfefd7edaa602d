package record

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var allCodecs = []Codec{None, Gzip, Snappy, Lz4, Zstd}

// build seals n records of about size bytes and returns the batch.
func build(t testing.TB, n, size int, codec Codec) []byte {
	t.Helper()
	b := NewBuilder(0)
	for i := range n {
		v := bytes.Repeat([]byte{byte('a' + i%26)}, size)
		b.Append(int64(i), fmt.Appendf(nil, "key-%d", i), v, 1, AppendHeader(nil, "pos", fmt.Appendf(nil, "%d", i)))
	}
	batch, err := b.Seal(nil, Producer{ID: 9, Epoch: 2, Sequence: 40}, codec, 1000, 1000+int64(n-1))
	if err != nil {
		t.Fatalf("sealing %d records with %s: %v", n, codec, err)
	}
	return batch
}

func TestWhatIsBuiltIsReadBackWithEveryCodec(t *testing.T) {
	r := new(Reader)
	for _, codec := range allCodecs {
		batch := build(t, 300, 170, codec)
		Stamp(batch, 5000, 3)
		if !CheckCRC(batch) {
			t.Fatalf("%s: stamping base offset and epoch broke the checksum", codec)
		}
		n := 0
		err := r.Read(batch, 1<<20, func(rec *Record) error {
			if rec.Offset != Offset(5000+n) || rec.Timestamp != int64(1000+n) || len(rec.Value) != 170 ||
				string(rec.Key) != fmt.Sprintf("key-%d", n) || string(rec.Headers[0].Value) != fmt.Sprint(n) {
				t.Errorf("%s: record %d came back as %+v", codec, n, rec)
			}
			n++
			return nil
		})
		if err != nil || n != 300 {
			t.Errorf("%s: want 300 records, got %d, %v", codec, n, err)
		}
	}
}

func TestAnotherImplementationReadsOurBatch(t *testing.T) {
	batch := build(t, 3, 10, None)
	var k kmsg.RecordBatch
	if err := k.ReadFrom(batch); err != nil {
		t.Fatalf("kmsg: %v", err)
	}
	h, err := ParseHeader(batch)
	if err != nil || k.NumRecords != 3 || k.ProducerID != 9 || k.FirstSequence != 40 || uint32(k.CRC) != h.CRC || k.MaxTimestamp != 1002 {
		t.Fatalf("kmsg read %+v, we read %+v, %v", k, h, err)
	}
	rec := kmsg.NewRecord()
	if err := rec.ReadFrom(k.Records); err != nil || string(rec.Key) != "key-0" || len(rec.Headers) != 1 {
		t.Fatalf("kmsg read the first record as %+v, %v", rec, err)
	}
}

func TestADecompressionBombIsRefusedInBoundedMemory(t *testing.T) {
	b := NewBuilder(0)
	b.Append(0, nil, make([]byte, 8<<20), 0, nil)
	for _, codec := range allCodecs {
		batch, err := b.Seal(nil, NoProducer, codec, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := new(Reader)
		err = r.Read(batch, 1<<20, func(*Record) error { t.Error("a record came out"); return nil })
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: want ErrTooLarge, got %v", codec, err)
		}
		if cap(r.dec.buf) > 4<<20 {
			t.Errorf("%s: the buffer grew to %d bytes for a limit of 1 MiB", codec, cap(r.dec.buf))
		}
	}
}

func TestChangedProducerAndTimesKeepTheChecksumRight(t *testing.T) {
	batch := build(t, 5, 20, Snappy)
	SetProducer(batch, Producer{ID: 77, Epoch: 5, Sequence: 0})
	SetTimes(batch, 5000, 6000)
	h, err := ParseHeader(batch)
	if err != nil || !CheckCRC(batch) || h.ProducerID != 77 || h.ProducerEpoch != 5 || h.BaseSequence != 0 || h.MaxTimestamp != 6000 {
		t.Fatalf("got %+v, checksum right: %v, %v", h, CheckCRC(batch), err)
	}
	SetAppendTime(batch, 9000)
	r := new(Reader)
	if err := r.Read(batch, 1<<20, func(rec *Record) error {
		if rec.Timestamp != 9000 {
			t.Errorf("log append time: want 9000, got %d", rec.Timestamp)
		}
		return nil
	}); err != nil || !CheckCRC(batch) {
		t.Fatal(err)
	}
}

func TestSequencesWrapAtTwoToThe31(t *testing.T) {
	if got := AddSequence(1<<31-1, 1); got != 0 {
		t.Errorf("want 0 after 2147483647, got %d", got)
	}
	if got := AddSequence(1<<31-3, 9); got != 6 {
		t.Errorf("want 6, got %d", got)
	}
}

func TestSnappyJavasStreamIsRead(t *testing.T) {
	plain := build(t, 40, 100, None)
	stream := append([]byte("\x82SNAPPY\x00"), 0, 0, 0, 1, 0, 0, 0, 1)
	for body := plain[HeaderSize:]; len(body) > 0; {
		n := min(1000, len(body))
		block := appendSnappy(nil, body[:n])
		stream = append(stream, 0, 0, byte(len(block)>>8), byte(len(block)))
		stream, body = append(stream, block...), body[n:]
	}
	d := new(decompressor)
	got, err := d.decompress(stream, Snappy, 1<<20)
	if err != nil || !bytes.Equal(got, plain[HeaderSize:]) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(plain)-HeaderSize, err)
	}
	if _, err := d.decompress(stream, Snappy, 2000); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: want ErrTooLarge, got %v", err)
	}
}

// A batch that lies must give an error: no panic, no record out of thin air.
func FuzzReaderNeverReadsBeyondTheBatch(f *testing.F) {
	for _, codec := range allCodecs {
		f.Add(build(f, 7, 30, codec))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n := new(Reader), 0
		err := r.Read(b, 1<<16, func(rec *Record) error { n++; return nil })
		if h, herr := ParseHeader(b); err == nil && (herr != nil || n != int(max(h.Count, 0))) {
			t.Fatalf("%d records without an error from %+v (%v)", n, h, herr)
		}
		CheckCRC(b)
	})
}

func TestFlippedBitsNeverPassTheChecksum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	batch := build(t, 20, 50, Lz4)
	for range 500 {
		at, bit := atCRC+rng.IntN(len(batch)-atCRC), byte(1)<<rng.IntN(8)
		batch[at] ^= bit
		if CheckCRC(batch) {
			t.Fatalf("a flipped bit at byte %d passed", at)
		}
		batch[at] ^= bit
	}
}

// BenchmarkBuild encodes lines of 170 bytes into batches of 256 kB.
func BenchmarkBuild(b *testing.B) {
	value, key := bytes.Repeat([]byte("x"), 170), []byte("host:/var/log/nginx/access.log")
	headers := AppendHeader(nil, "pos", []byte("1f0c9a3e:4096+171"))
	for _, codec := range []Codec{None, Snappy} {
		b.Run(codec.String(), func(b *testing.B) {
			bl, out := NewBuilder(300<<10), []byte(nil)
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				bl.Append(0, key, value, 1, headers)
				if bl.Len() > 256<<10 {
					out, _ = bl.Seal(out[:0], NoProducer, codec, 0, 0)
					bl.Reset()
				}
			}
		})
	}
}
