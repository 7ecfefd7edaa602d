package handle

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// eachServed calls f with every version of every request that kmsg decodes.
func eachServed(f func(r *row, version int16)) {
	for i := range table {
		if r := &table[i]; r.act != nil {
			for v := r.min; v <= r.max; v++ {
				f(r, v)
			}
		}
	}
}

// filler writes random content into a request.
type filler struct {
	rnd  *rand.Rand
	most int // elements of an array, bytes of a string; nested arrays are shorter, most strings too
	tags bool
}

// request is one of this version, and its bytes.
func (f filler) request(key, version int16) (kmsg.Request, []byte) {
	req := kmsg.RequestForKey(key)
	f.fill(reflect.ValueOf(req).Elem(), 0)
	req.SetVersion(version)
	return req, req.AppendTo(nil)
}

func (f filler) fill(v reflect.Value, depth int) {
	if t, ok := v.Addr().Interface().(*kmsg.Tags); ok {
		for f.tags && f.rnd.IntN(3) == 0 {
			t.Set(f.rnd.Uint32()>>f.rnd.IntN(32), f.bytes())
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), depth)
		}
	case reflect.Pointer:
		if v.SetZero(); f.rnd.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth)
		}
	case reflect.Slice:
		if v.SetZero(); f.rnd.IntN(5) == 0 {
			return
		}
		n := f.rnd.IntN(f.most + 1)
		if depth > 0 && v.Type().Elem().Kind() != reflect.Uint8 {
			n = min(n, 4)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i), depth)
		}
	case reflect.String:
		v.SetString(string(f.bytes()))
	case reflect.Bool:
		v.SetBool(f.rnd.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.rnd.Uint64()))
	case reflect.Uint8:
		v.SetUint(f.rnd.Uint64() & 0xff)
	case reflect.Float64:
		v.SetFloat(f.rnd.NormFloat64())
	default:
		panic(fmt.Sprintf("a field of kind %s", v.Kind()))
	}
}

func (f filler) bytes() []byte {
	n := f.rnd.IntN(f.most + 1)
	if f.rnd.IntN(8) > 0 {
		n %= 8
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rnd.Uint32())
	}
	return b
}

func TestEveryServedVersionIsSkimmedToItsLastByte(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	behind := []byte("more")
	eachServed(func(r *row, version int16) {
		for round := range 12 {
			_, body := filler{rnd, []int{0, 2, 9, 150}[round%4], round%3 > 0}.request(r.key, version)
			rest, err := wire.Skim(r.key, version, append(body, behind...))
			if err != nil || !bytes.Equal(rest, behind) {
				t.Errorf("%s %d: %v, %d bytes of %d are left, want the %d behind it\n%x", kmsg.NameForKey(r.key), version, err, len(rest), len(body), len(behind), body)
				return
			}
			for range min(len(body), 20) {
				n := rnd.IntN(len(body))
				if _, err := wire.Skim(r.key, version, body[:n]); !errors.Is(err, wire.ErrMalformed) {
					t.Errorf("%s %d: the first %d of %d bytes: %v", kmsg.NameForKey(r.key), version, n, len(body), err)
					return
				}
			}
		}
	})
}

// What a tag of its own holds is not skimmed, so no request may have one that kmsg knows.
func TestNoServedRequestKeepsFieldsInTags(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	eachServed(func(r *row, version int16) {
		for range 20 {
			if _, body := (filler{rnd, 3, false}).request(r.key, version); version >= r.flexible && body[len(body)-1] != 0 {
				t.Errorf("%s %d has tags of its own", kmsg.NameForKey(r.key), version)
				return
			}
		}
	})
}

func TestWhatIsNotServedHasNoShape(t *testing.T) {
	for _, c := range [][2]int16{{-1, 0}, {keyProduce, 11}, {4, 0}, {3, -1}, {3, 99}, {70, 0}, {32767, 0}} {
		if _, err := wire.Skim(c[0], c[1], make([]byte, 100)); err == nil {
			t.Errorf("request %d version %d is skimmed", c[0], c[1])
		}
	}
}

// bombs are lengths and counts far beyond any body.
var bombs = [][]byte{{0xff, 0xff, 0xff, 0xff, 0x0f}, {0xff, 0xff, 0xff, 0x7f}, {0xff, 0xff, 0xff, 0xff, 0x07}, {0x7f, 0xff, 0xff, 0xff}, {0x7f, 0xff}, {0xff, 0xff, 0x1f}}

// Whatever is overwritten or cut, what the skimmer passes is quick to decode.
func TestWhatIsSkimmedIsDecodedAtOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	passed := 0
	eachServed(func(r *row, version int16) {
		for range 60 {
			_, body := filler{rnd, 12, true}.request(r.key, version)
			for range 1 + rnd.IntN(2) {
				at := rnd.IntN(len(body) + 1)
				copy(body[at:], bombs[rnd.IntN(len(bombs))])
			}
			if wantQuick(t, r.key, version, body) {
				passed++
			}
		}
	})
	if passed < 1000 {
		t.Errorf("only %d damaged requests were skimmed", passed)
	}
}

// wantQuick decodes what can be skimmed, and says whether it was.
func wantQuick(t *testing.T, key, version int16, body []byte) bool {
	t.Helper()
	_, skimmed := wire.Skim(key, version, body)
	if skimmed != nil && anyLong(body) {
		return false // kmsg might count for a minute
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	began := time.Now()
	err := req.ReadFrom(body)
	if d := time.Since(began); skimmed == nil && d > 3*time.Second {
		t.Fatalf("%s %d was skimmed and took %v to decode\n%x", kmsg.NameForKey(key), version, d, body)
	}
	if (err == nil) != (skimmed == nil) {
		t.Fatalf("%s %d: skimmed: %v; decoded: %v\n%x", kmsg.NameForKey(key), version, skimmed, err, body)
	}
	return skimmed == nil
}

// anyLong says whether there may be a compact number of three bytes or more.
func anyLong(b []byte) bool {
	for i := 1; i < len(b); i++ {
		if b[i-1]&b[i]&0x80 != 0 {
			return true
		}
	}
	return false
}

// FuzzSkim: the skimmer passes what kmsg passes, and that takes kmsg no time.
func FuzzSkim(f *testing.F) {
	rnd := rand.New(rand.NewPCG(7, 8))
	eachServed(func(r *row, version int16) {
		_, body := filler{rnd, 5, true}.request(r.key, version)
		f.Add(r.key, version, body)
	})
	f.Add(int16(3), int16(9), []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if r := find(key); r != nil && r.act != nil && r.serves(version) {
			wantQuick(t, key, version, body)
		}
	})
}
