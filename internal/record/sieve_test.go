package record

import (
	"bytes"
	"fmt"
	"testing"
)

// contents is the records of a batch as text, and its header.
func contents(t testing.TB, batch []byte) (string, Header) {
	t.Helper()
	h, err := ParseHeader(batch)
	if err != nil || h.Size() != len(batch) || !CheckCRC(batch) {
		t.Fatalf("unsound batch of %d bytes: %+v, %v", len(batch), h, err)
	}
	var out string
	var r Reader
	err = r.Read(batch, 1<<20, func(rec *Record) error {
		out += fmt.Sprintf("%d %d %s=%s", rec.Offset, rec.Timestamp, rec.Key, rec.Value)
		if rec.Value == nil {
			out += "null"
		}
		for _, kv := range rec.Headers {
			out += fmt.Sprintf(" %s:%s", kv.Key, kv.Value)
		}
		out += "\n"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, h
}

func TestASieveKeepsOffsetsTimesAndSequences(t *testing.T) {
	for codec := None; codec <= Zstd; codec++ {
		b := NewBuilder(0)
		b.Append(0, []byte("a"), []byte("1"), 1, AppendHeader(nil, "h", []byte("x")))
		b.Append(5, []byte("b"), []byte("2"), 0, nil)
		b.AppendTombstone(9, []byte("c"))
		b.Append(7, []byte("d"), []byte("4"), 0, nil)
		batch, err := b.Seal(nil, Producer{7, 3, 40}, codec, 1000, 1009)
		if err != nil {
			t.Fatal(err)
		}
		Stamp(batch, 100, 6)
		var s Sieve
		all, found, err := s.Sift([]byte("x"), batch, 1<<20, 77000, false, func(r *Record) bool { return r.Value != nil })
		if err != nil || found != (Sifted{3, 1, true}) {
			t.Fatalf("%s: %+v, %v", codec, found, err)
		}
		text, h := contents(t, all[1:])
		if want := "100 1000 a=1 h:x\n101 1005 b=2\n103 1007 d=4\n"; text != want {
			t.Fatalf("%s: got %q, want %q", codec, text, want)
		}
		if h.BaseOffset != 100 || h.LastOffset() != 103 || h.LastSequence() != 43 || h.LeaderEpoch != 6 || h.MaxTimestamp != 1007 || h.Codec() != codec || h.Count != 3 {
			t.Fatalf("%s: got %+v", codec, h)
		}
		// A deletion that stays gives the batch its horizon; the times are the same.
		marked, found, err := s.Sift(nil, batch, 1<<20, 77000, false, func(r *Record) bool { return r.Offset != 101 })
		if err != nil || found != (Sifted{3, 1, true}) {
			t.Fatalf("%s: %+v, %v", codec, found, err)
		}
		text, h = contents(t, marked)
		if want := "100 1000 a=1 h:x\n102 1009 c=null\n103 1007 d=4\n"; text != want {
			t.Fatalf("%s: got %q, want %q", codec, text, want)
		}
		if at, ok := h.DeleteHorizon(); !ok || at != 77000 {
			t.Fatalf("%s: the delete horizon is %d, %t", codec, at, ok)
		}
		// Once it has one, it keeps that.
		same, found, err := s.Sift(nil, marked, 1<<20, 99000, true, func(*Record) bool { return true })
		if err != nil || found.Changed || !bytes.Equal(same, marked) {
			t.Fatalf("%s: %+v, %v", codec, found, err)
		}
		none, found, err := s.Sift(nil, batch, 1<<20, 0, false, func(*Record) bool { return false })
		if err != nil || len(none) != 0 || found.Kept != 0 {
			t.Fatalf("%s: %d bytes, %+v, %v", codec, len(none), found, err)
		}
		empty, err := AppendEmpty(nil, marked)
		if err != nil {
			t.Fatal(err)
		}
		text, h = contents(t, empty)
		_, horizon := h.DeleteHorizon()
		if text != "" || h.Size() != HeaderSize || h.LastOffset() != 103 || h.LastSequence() != 43 || h.ProducerEpoch != 3 || horizon {
			t.Fatalf("%s: the empty batch is %+v with %q", codec, h, text)
		}
	}
}

func FuzzSieve(f *testing.F) {
	b := NewBuilder(0)
	b.Append(0, []byte("a"), []byte("1"), 0, nil)
	b.AppendTombstone(9, []byte("c"))
	for codec := None; codec <= Zstd; codec++ {
		batch, err := b.Seal(nil, NoProducer, codec, 1000, 1009)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(batch, uint8(1))
		f.Add(batch[:len(batch)-1], uint8(1))
	}
	var s Sieve
	f.Fuzz(func(t *testing.T, batch []byte, which uint8) {
		i := 0
		out, found, err := s.Sift(nil, batch, 1<<20, 77000, false, func(*Record) bool { i++; return which>>(i%8)&1 == 1 })
		if err != nil || found.Kept == 0 || !found.Changed {
			return
		}
		_, h := contents(t, out)
		if int(h.Count) != found.Kept {
			t.Fatalf("%d records, %d were kept", h.Count, found.Kept)
		}
	})
}
