package line

import (
	"errors"
	"testing"
)

func TestPosSaysWhereALineStood(t *testing.T) {
	for _, c := range []struct {
		pos  Pos
		text string
	}{
		{Pos{Generation: 0x1f0c9a3e, Start: 4096, Length: 171}, "1f0c9a3e:4096+171"},
		{Pos{Generation: 7, Start: 0, Length: 1}, "00000007:0+1"},
		{Pos{Generation: 0xffffffff, Start: 1 << 40, Length: 12, Skipped: 99}, "ffffffff:1099511627776+12-99"},
	} {
		if got := c.pos.String(); got != c.text {
			t.Errorf("writing %+v: want %s, got %s", c.pos, c.text, got)
		}
		if got, err := ParsePos([]byte(c.text)); err != nil || got != c.pos {
			t.Errorf("reading %s: want %+v, got %+v, %v", c.text, c.pos, got, err)
		}
	}
}

func TestAPosThatWeDidNotWriteIsRefused(t *testing.T) {
	for _, s := range []string{"", "1f0c9a3e", "1f0c9a3e:", "1f0c9a3e:1", "1f0c9a3e:+1", "1f0c9a3e:-1+1", "1f0c9a3e:1+-1",
		"1f0c9a3e:1+1-", "1f0c9a3g:1+1", "1f0c9a3e:1+1 ", "1f0c9a3e:99999999999999999999+1", "+1f0c9a3:1+1"} {
		if p, err := ParsePos([]byte(s)); !errors.Is(err, ErrPos) {
			t.Errorf("%q: want ErrPos, got %+v, %v", s, p, err)
		}
	}
}

func FuzzPosRoundTrips(f *testing.F) {
	f.Add([]byte("1f0c9a3e:4096+171"))
	f.Add([]byte("ffffffff:1099511627776+12-99"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePos(b)
		if err != nil {
			return
		}
		again, err := ParsePos(p.Append(nil))
		if err != nil || again != p {
			t.Fatalf("%q: read as %+v, then as %+v, %v", b, p, again, err)
		}
	})
}

// The wanted hashes are those of UtilsTest.testMurmur2 in Apache Kafka.
func TestAKeyGoesWhereKafkasJavaClientSendsIt(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q): want %d, got %d", key, want, got)
		}
	}
	if got := Partition([]byte("21"), 6); got != (-973932308&0x7fffffff)%6 {
		t.Errorf("partition of \"21\" among 6: got %d", got)
	}
}
