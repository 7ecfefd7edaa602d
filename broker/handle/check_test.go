package handle

import (
	"errors"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
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
	_, err = prepare(bomb, 7, &topics.Effective{MaxMessage: 1 << 20, TimestampBefore: -1, TimestampAfter: -1})
	var c *codedError
	if !errors.As(err, &c) || c.code != errMessageTooLarge {
		t.Errorf("%d bytes that become more than 64 MiB: %v, want code %d", len(bomb), err, errMessageTooLarge)
	}
}

// Only a compaction knows from when on deletions may go.
func TestMarksOfCompactionAreRefused(t *testing.T) {
	batch := sealed(t, record.None)
	batch[22] |= 1 << 6
	record.SetProducer(batch, record.NoProducer) // as a side effect, the checksum
	_, err := prepare(batch, 7, &topics.Effective{MaxMessage: 1 << 20, TimestampBefore: -1, TimestampAfter: -1})
	var c *codedError
	if !errors.As(err, &c) || c.code != errInvalidRecord {
		t.Errorf("a batch with a delete horizon: %v, want code %d", err, errInvalidRecord)
	}
}

// FuzzPrepare says that what prepare lets through is one sound batch, for any kind of topic and any version.
func FuzzPrepare(f *testing.F) {
	for kind := range byte(16) {
		for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.Lz4, record.Zstd} {
			f.Add(sealed(f, codec), int16(kind), kind)
		}
	}
	var c record.Converter
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.Lz4} {
		for magic := range int8(2) {
			set, _, err := c.Downgrade(nil, sealed(f, codec), magic, 0, 1<<20, 1<<20)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(set, int16(magic)*2, byte(7))
		}
	}
	f.Fuzz(func(t *testing.T, records []byte, version int16, kind byte) {
		if len(records) >= record.HeaderSize && record.MessageMagic(records) == 2 {
			record.SetTimes(records, 1, 1) // makes the checksum right, to come further
		}
		e := &topics.Effective{MaxMessage: 1 << 20, TimestampBefore: -1, TimestampAfter: -1,
			AppendTime: kind&1 != 0, Compact: kind&2 != 0, Recompress: kind&4 != 0, Compression: record.Codec(kind >> 4 % 5)}
		if kind&8 != 0 {
			e.TimestampAfter = time.Hour
		}
		p, err := prepare(records, version, e)
		defer p.release()
		if err != nil {
			var c *codedError
			if !errors.As(err, &c) {
				t.Fatalf("refused without a code: %v", err)
			}
			return
		}
		if p.batch == nil {
			return
		}
		h, err := record.ParseHeader(p.batch)
		if err != nil || !record.CheckCRC(p.batch) || h.Size() != len(p.batch) || h.Count != p.header.Count || h.LogAppendTime() != e.AppendTime {
			t.Fatalf("let through a batch of %d bytes with the header %+v: %v", len(p.batch), h, err)
		}
		if e.Recompress && h.Codec() != e.Compression {
			t.Fatalf("%s in a topic of %s", h.Codec(), e.Compression)
		}
		n := int32(0)
		var r record.Reader
		err = r.Read(p.batch, largestUnpacked, func(r *record.Record) error {
			if n++; e.Compact && r.Key == nil {
				t.Fatal("a record without a key in a compacted topic")
			}
			return nil
		})
		if err != nil || n != h.Count {
			t.Fatalf("let through a batch with %d records that reads as %d, %v", h.Count, n, err)
		}
	})
}
