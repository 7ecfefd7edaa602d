package broker_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/pierrec/lz4/v4"
)

// zeros is an endless run of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bomb is a sound batch of one record whose value is so many zeros, packed.
func bomb(t *testing.T, codec record.Codec, size int64, pack func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	tail := binary.AppendVarint(nil, -1) // attributes, time, offset, no key, the value's length
	head := append([]byte{0, 0, 0}, tail...)
	head = binary.AppendVarint(head, size)
	whole := binary.AppendVarint(nil, int64(len(head))+size+1)
	var packed bytes.Buffer
	w := pack(&packed)
	for _, part := range []io.Reader{bytes.NewReader(whole), bytes.NewReader(head), io.LimitReader(zeros{}, size), bytes.NewReader([]byte{0})} { // no headers
		if _, err := io.Copy(struct{ io.Writer }{w}, part); err != nil { // lz4's ReadFrom works once only
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packedBatch(t, codec, packed.Bytes())
}

// packedBatch is a batch of one record with these bytes behind its header.
func packedBatch(t *testing.T, codec record.Codec, packed []byte) []byte {
	t.Helper()
	header := seal(t, 1, record.NoProducer, record.None)[:61]
	batch := append(header[:61:61], packed...)
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-12))
	return edit(batch, func(b []byte) { b[22] = b[22]&^7 | byte(codec) })
}

func TestBombsAreNotUnpackedIntoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks hundreds of megabytes")
	}
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	bombs := map[string][]byte{
		"gzip": bomb(t, record.Gzip, 80<<20, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"lz4":  bomb(t, record.Lz4, 80<<20, func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) }),
		"zstd": bomb(t, record.Zstd, 80<<20, func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		}),
	}
	sound := bomb(t, record.Gzip, 10<<20, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	if got := put(t, conn, 8, "web_log", 0, -1, sound); got.ErrorCode != 0 {
		t.Errorf("a packed value of 10 MiB: code %d", got.ErrorCode)
	}
	leave := r.neighbour()
	risen := memory()
	var throwing sync.WaitGroup
	for name, batch := range bombs {
		for range 4 {
			thrower := r.dial()
			throwing.Go(func() {
				if got := put(t, thrower, 8, "web_log", 0, -1, batch); got.ErrorCode != 10 {
					t.Errorf("a %s bomb of %d bytes: code %d, want 10", name, len(batch), got.ErrorCode)
				}
			})
		}
	}
	throwing.Wait()
	wantMemory(t, risen(), 400<<20) // one of 64 MiB at a time, and what the collector has not seen yet; all at once would be 2.5 GiB
	for name, lie := range map[string][]byte{
		"snappy that says 4 GiB":        append(binary.AppendUvarint(nil, 1<<32-1), 0xfe, 0xff),
		"xerial snappy that says 2 GiB": append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x7f\xff\xff\xff"), 0),
	} {
		risen := memory()
		if got := put(t, conn, 8, "web_log", 0, -1, packedBatch(t, record.Snappy, lie)); got.ErrorCode == 0 {
			t.Errorf("%s was taken", name)
		}
		wantMemory(t, risen(), 100<<20)
	}
	leave()
}
