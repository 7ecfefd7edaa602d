package pattern

import (
	"errors"
	"regexp/syntax"
	"runtime"
	"strings"
	"testing"
)

func TestExpressionsMatchWholeTexts(t *testing.T) {
	for text, matches := range map[string]map[string]bool{
		"web":                    {"web": true, "webs": false, "a web": false},
		"a|b":                    {"a": true, "b": true, "ab": false},
		"":                       {"": true, "x": false},
		`web_[a-z]{1,5}\d*`:      {"web_log7": true, "web_": false},
		`(web|app)\.[0-9]{1,10}`: {"app.42": true},
	} {
		re, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range matches {
			if re.MatchString(name) != want {
				t.Errorf("%q matches %q: %v", text, name, !want)
			}
		}
	}
}

func TestWhatCannotBeReadIsSaidSo(t *testing.T) {
	for _, text := range []string{"(", "a)|(b", "[", "a**", "(?=x)", `\`, "x{1001}"} {
		var wrong *syntax.Error
		if _, err := Compile(text); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestShortTextsDoNotBecomeHugePrograms(t *testing.T) {
	for _, text := range []string{
		"(?:" + strings.Repeat("a?", 500) + "){1000}", "((a{10}b){10}c){10}" + strings.Repeat("(x{1000})", 20), strings.Repeat("a", longest+1),
		"(?:" + strings.Repeat("[acegikmoqsuwy]", 60) + "){0,1000}", strings.Repeat("(?:.{1000})", 100),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Compile(text)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%.40q was taken", text)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
			t.Errorf("refusing %.40q took %d bytes", text, allocated)
		}
	}
}
