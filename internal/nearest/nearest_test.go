package nearest

import "testing"

func TestTheNearestNameHasTheFewestLettersToChange(t *testing.T) {
	known := []string{"SSL", "SASL_SSL", "PLAINTEXT"}
	for name, want := range map[string]struct {
		best    string
		letters int
	}{
		"SAS_SSL": {"SASL_SSL", 1}, "SLS": {"SSL", 2}, "PLAINTEXT": {"PLAINTEXT", 0}, "PLAIN_TEX": {"PLAINTEXT", 2}, "": {"SSL", 3},
	} {
		if best, letters := Of(name, known); best != want.best || letters != want.letters {
			t.Errorf("%q is %d letters from %s, want %d from %s", name, letters, best, want.letters, want.best)
		}
	}
	if best, _ := Of("x", nil); best != "" {
		t.Errorf("of nothing the nearest is %q", best)
	}
}
