package batch

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestACounterSaysWhatTheNumberIs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var c counter
		at := int64(r.Uint64() >> (1 + r.UintN(63)))
		for range 50 {
			if got := string(c.to(at)); got != strconv.FormatInt(at, 10) {
				t.Fatalf("%d came out as %s", at, got)
			}
			switch step := int64(r.Uint64() >> (1 + r.UintN(63))); {
			case r.UintN(10) == 0: // another place altogether, which may lie before
				at = step
			case at <= math.MaxInt64-step:
				at += step
			}
		}
	}
}

func TestACounterCarriesAndStays(t *testing.T) {
	var c counter
	for _, at := range []int64{0, 0, 9, 10, 99, 100, 999_999, 1_000_000, 1_000_000, math.MaxInt64 - 1, math.MaxInt64} {
		if got := string(c.to(at)); got != strconv.FormatInt(at, 10) {
			t.Errorf("%d came out as %s", at, got)
		}
	}
}

func TestALengthIsSaidInDigits(t *testing.T) {
	for _, n := range []int64{0, 7, 99, 100, 101, 170, 990, 999, 1000, 123_456_789_012} {
		if got := string(appendLength([]byte("+"), n)); got != "+"+strconv.FormatInt(n, 10) {
			t.Errorf("%d came out as %s", n, got)
		}
	}
}
