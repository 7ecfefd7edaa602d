package handle

import (
	"errors"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// sealed is a batch of three records.
func sealed(t testing.TB, codec record.Codec) []byte {
	t.Helper()
	b := record.NewBuilder(256)
	for range 3 {
		b.Append(1, []byte("key"), []byte("value value value value"), 1, record.AppendHeader(nil, "pos", []byte("1")))
	}
	batch, err := b.Seal(nil, record.Producer{ID: 5, Epoch: 0, Sequence: 7}, codec, 10, 11)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestUnpackedBatchesAreBounded(t *testing.T) {
	b := record.NewBuilder(1 << 20)
	b.Append(0, nil, make([]byte, largestUnpacked), 0, nil)
	bomb, err := b.Seal(nil, record.NoProducer, record.Zstd, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = checkBatch(bomb, 7, 1<<20)
	var c *codedError
	if !errors.As(err, &c) || c.code != errMessageTooLarge {
		t.Errorf("%d bytes that become more than 64 MiB: %v, want code %d", len(bomb), err, errMessageTooLarge)
	}
}

func FuzzCheckBatch(f *testing.F) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.Lz4, record.Zstd} {
		f.Add(sealed(f, codec))
	}
	f.Fuzz(func(t *testing.T, batch []byte) {
		if len(batch) >= record.HeaderSize {
			record.SetTimes(batch, 1, 1) // makes the checksum right, to come further
		}
		h, err := checkBatch(batch, 11, 1<<20)
		if err != nil {
			var c *codedError
			if !errors.As(err, &c) {
				t.Fatalf("refused without a code: %v", err)
			}
			return
		}
		n := int32(0)
		var r record.Reader
		err = r.Read(batch, largestUnpacked, func(*record.Record) error { n++; return nil })
		if err != nil || n != h.Count || h.Size() != len(batch) {
			t.Fatalf("accepted a batch of %d bytes with %d records that reads as %d, %v", len(batch), h.Count, n, err)
		}
	})
}
