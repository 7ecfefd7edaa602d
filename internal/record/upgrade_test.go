package record

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// oldSet is messages of one format, numbered from 0.
func oldSet(magic int8, records ...plainRecord) []byte {
	var set []byte
	for i, r := range records {
		set = appendMessage(set, &message{offset: Offset(i), magic: magic, timestamp: r.ms, key: r.key, value: r.value})
	}
	return set
}

// wrapped is a set within one message.
func wrapped(t testing.TB, magic int8, codec Codec, attributes int8, ms int64, set []byte) []byte {
	t.Helper()
	var c Converter
	out, err := c.wrap(nil, &message{magic: magic, attributes: int8(codec) | attributes, offset: 9, timestamp: ms}, set)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func packed(set []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(set)
	w.Close()
	return b.Bytes()
}

func TestUpgradeTakesAndRefusesWhatKafkaDoes(t *testing.T) {
	one := oldSet(1, plainRecord{0, 50, []byte("k"), []byte("v")})
	zero := oldSet(0, plainRecord{0, 0, []byte("k"), nil})
	two := oldSet(1, plainRecord{0, 50, []byte("k"), []byte("v")}, plainRecord{0, 40, nil, nil})
	bad := slices.Clone(one)
	bad[len(bad)-1] ^= 1
	small := slices.Clone(one)
	binary.BigEndian.PutUint32(small[8:], 13)
	future := slices.Clone(one)
	future[atMessageMagic] = 3
	lying := func() []byte {
		b := slices.Clone(one)
		binary.BigEndian.PutUint32(b[26:], 99)
		return finishMessage(b, 0)
	}()
	batch := sealPlain(t, []plainRecord{{0, 1, nil, nil}}, None)
	gz := wrapped(t, 1, Gzip, 0, 50, two)
	for _, c := range []struct {
		name  string
		set   []byte
		want  error
		times []int64 // of the records
	}{
		{"one", one, nil, []int64{50}},
		{"two", two, nil, []int64{50, 40}},
		{"format 0", zero, nil, []int64{-1}},
		{"nothing", nil, nil, nil},
		{"less than a head", one[:11], nil, nil},
		{"a part of one", one[:len(one)-1], nil, nil},
		{"one and a part", two[:len(two)-1], nil, []int64{50}},
		{"a wrong checksum", bad, ErrCorrupt, nil},
		{"a wrong checksum behind a good one", slices.Concat(one, bad), ErrCorrupt, nil},
		{"a size below a message's", small, ErrCorrupt, nil},
		{"format 3", future, ErrCorrupt, nil},
		{"a key longer than its message", lying, ErrFormat, nil},
		{"two formats", slices.Concat(one, zero), ErrFormat, nil},
		{"a batch behind a message", slices.Concat(one, batch), ErrFormat, nil},
		{"a wrapper", gz, nil, []int64{50, 40}},
		{"a wrapper with another time", wrapped(t, 1, Gzip, 0, 7, two), nil, []int64{50, 40}},
		{"a wrapper timed by a broker", wrapped(t, 1, Gzip, attrAppendTime, 7, two), nil, []int64{7, 7}},
		{"a wrapper of format 0", wrapped(t, 0, Gzip, 0, 0, slices.Concat(zero, zero)), nil, []int64{-1, -1}},
		{"snappy-java's framing", wrapped(t, 1, Snappy, 0, 0, two), nil, []int64{50, 40}},
		{"raw snappy", appendMessage(nil, &message{magic: 1, attributes: int8(Snappy), value: appendSnappy(nil, two)}), nil, []int64{50, 40}},
		{"a part of one within a wrapper", wrapped(t, 1, Gzip, 0, 0, two[:len(two)-1]), nil, []int64{50}},
		{"nothing within a wrapper", wrapped(t, 1, Gzip, 0, 0, nil), ErrFormat, nil},
		{"another format within a wrapper", wrapped(t, 1, Gzip, 0, 0, zero), ErrFormat, nil},
		{"a wrapper within a wrapper", wrapped(t, 1, Gzip, 0, 0, gz), ErrFormat, nil},
		{"a wrong checksum within a wrapper", wrapped(t, 1, Gzip, 0, 0, bad), ErrCorrupt, nil},
		{"a wrapper and a message", slices.Concat(gz, one), ErrFormat, nil},
		{"a message and a wrapper", slices.Concat(one, gz), ErrFormat, nil},
		{"zstd", appendMessage(nil, &message{magic: 1, attributes: int8(Zstd), value: []byte("x")}), ErrCodec, nil},
		{"codec 6", appendMessage(nil, &message{magic: 1, attributes: 6, value: []byte("x")}), ErrCodec, nil},
		{"a bomb", wrapped(t, 1, Gzip, 0, 0, make([]byte, 1<<20)), ErrTooLarge, nil},
		{"a large one", oldSet(1, plainRecord{0, 1, nil, make([]byte, 70<<10)}), ErrTooLarge, nil},
	} {
		var times []int64
		each := func(n int, ms int64, keyed, appendTime bool) {
			if times = append(times, ms); n != len(times)-1 {
				t.Errorf("%s: record %d comes as the %dth", c.name, n, len(times)-1)
			}
		}
		out, n, err := new(Converter).Upgrade(nil, c.set, Upgrade{Largest: 64 << 10, Limit: 512 << 10, Codec: -1, Each: each})
		if !errors.Is(err, c.want) || err == nil && (n != len(c.times) || !slices.Equal(times, c.times)) {
			t.Errorf("%s: %d records of the times %v, %v; want %v, %v", c.name, n, times, err, c.times, c.want)
		}
		if err == nil && n > 0 {
			for i, r := range readPlain(t, out) {
				if r.ms != c.times[i] {
					t.Errorf("%s: record %d has the time %d in the batch, want %d", c.name, i, r.ms, c.times[i])
				}
			}
		}
	}
}

func TestLZ4HeadersOfFormatZeroHaveTwoChecksums(t *testing.T) {
	set := oldSet(0, plainRecord{0, 0, []byte("k"), bytes.Repeat([]byte("v"), 500)})
	right, err := new(compressor).compress(nil, set, Lz4, Fast)
	if err != nil {
		t.Fatal(err)
	}
	broken := wrapped(t, 0, Lz4, 0, 0, set)
	m, _, err := nextMessage(broken)
	if err != nil || bytes.Equal(m.value, right) || len(m.value) != len(right) {
		t.Fatalf("the wrapper's frame is like any other: %v", err)
	}
	for name, frame := range map[string][]byte{"the right one": right, "the first Kafka's": m.value} {
		one := appendMessage(nil, &message{attributes: int8(Lz4), value: frame})
		if _, n, err := new(Converter).Upgrade(nil, one, Upgrade{Largest: 1 << 20, Limit: 1 << 20, Codec: -1}); err != nil || n != 1 {
			t.Errorf("%s: %d records, %v", name, n, err)
		}
	}
	if _, err := new(decompressor).decompress(m.value, Lz4, 1<<20); err == nil {
		t.Error("the first Kafka's checksum passes in a batch of format 2")
	}
	if at, _ := lz4HeaderSum(right); right[at] != lz4Sum(right[4:at]) {
		t.Error("the checksum is not the library's")
	}
	linked := slices.Clone(right)
	linked[4] &^= 0x20
	linked[6] = lz4Sum(linked[4:6])
	if _, err := new(decompressor).decompress(linked, Lz4, 1<<20); !errors.Is(err, ErrFormat) {
		t.Errorf("blocks that depend on each other: %v, want ErrFormat", err)
	}
}

func FuzzUpgrade(f *testing.F) {
	one := oldSet(1, plainRecord{0, 50, []byte("k"), []byte("v")})
	f.Add(one)
	f.Add(oldSet(0, plainRecord{0, 50, nil, nil}, plainRecord{0, 50, []byte("key"), []byte("value")}))
	for _, magic := range []int8{0, 1} {
		for _, codec := range oldCodecs[1:] {
			f.Add(wrapped(f, magic, codec, 0, 5, oldSet(magic, plainRecord{0, 5, []byte("k"), nil})))
		}
	}
	var c Converter
	f.Fuzz(func(t *testing.T, set []byte) {
		if len(set) > atMessageMagic {
			if size := int(binary.BigEndian.Uint32(set[8:])); size >= leastMessage && size <= len(set)-messageOverhead {
				finishMessage(set[:messageOverhead+size], 0) // makes the checksum right, to come further
			}
		}
		before := slices.Clone(set)
		batch, n, err := c.Upgrade(nil, set, Upgrade{Largest: 1 << 16, Limit: 1 << 20, Codec: -1})
		if !bytes.Equal(before, set) {
			t.Fatal("the set was changed")
		}
		if err != nil || n == 0 {
			return
		}
		if s, err := c.Check(batch, 1<<20); err != nil {
			t.Fatalf("the batch is not sound: %+v, %v", s, err)
		}
		records := readPlain(t, batch)
		if len(records) != n {
			t.Fatalf("%d records, said %d", len(records), n)
		}
		old, _, err := c.Downgrade(nil, batch, MessageMagic(set), 0, 1<<24, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		if got := readOld(t, old); !reflect.DeepEqual(got, records) {
			t.Fatalf("back: %v, want %v", got, records)
		}
	})
}

func FuzzDowngrade(f *testing.F) {
	for _, codec := range []Codec{None, Gzip, Snappy, Lz4, Zstd} {
		f.Add(sealPlain(f, []plainRecord{{0, 5, []byte("k"), nil}, {1, 6, nil, []byte("value")}}, codec), int64(1))
	}
	var c Converter
	f.Fuzz(func(t *testing.T, batch []byte, from int64) {
		for _, magic := range []int8{0, 1} {
			set, _, err := c.Downgrade(nil, batch, magic, Offset(from), 1000, 1<<20)
			if err == nil && len(set) > 0 {
				readOld(t, set)
			}
		}
	})
}

// Kafka's clients read one LZ4 frame and no further, with and without checksums.
func TestWhatFollowsAnLZ4FrameIsNotRead(t *testing.T) {
	content := bytes.Repeat([]byte("lz4 "), 200_000)
	for _, blocks := range []bool{false, true} {
		for _, whole := range []bool{false, true} {
			var b bytes.Buffer
			w := lz4.NewWriter(&b)
			if err := w.Apply(lz4.BlockChecksumOption(blocks), lz4.ChecksumOption(whole), lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
				t.Fatal(err)
			}
			w.Write(content)
			w.Close()
			for name, frames := range map[string][]byte{"one frame": b.Bytes(), "two frames": slices.Repeat(b.Bytes(), 2)} {
				var d decompressor
				if got, err := d.decompress(frames, Lz4, 1<<24); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s, checksums %v and %v: %d bytes, %v; want %d", name, blocks, whole, len(got), err, len(content))
				}
			}
			var d decompressor
			if _, err := d.decompress(b.Bytes()[:b.Len()-5], Lz4, 1<<24); err == nil {
				t.Error("a cut frame is taken")
			}
		}
	}
}
