package cli

import "testing"

func TestAShareOfACore(t *testing.T) {
	for text, want := range map[string]share{"0.25": 0.25, "25%": 0.25, "1": 1, "150%": 1.5, "2.5": 2.5} {
		var s share
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q is %v of a core (%v), want %v", text, float64(s), err, float64(want))
		}
		var again share
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%q is shown as %q, which is %v (%v)", text, s.String(), float64(again), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "0%", "half", "NaN", "inf", "%"} {
		var s share
		if err := s.Set(text); err == nil {
			t.Errorf("%q is taken for %v of a core", text, float64(s))
		}
	}
}
