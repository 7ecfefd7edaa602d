// Package pattern compiles regular expressions that come from strangers: a text of a few bytes can stand for a program of
// hundreds of megabytes, (a?a?...){1000} for one, so its size is looked at before it is made.
package pattern

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// The largest expression: bytes of text, and steps of the program that it becomes, roughly.
const (
	longest   = 2 << 10
	mostSteps = 10_000
)

// Compile compiles an expression (RE2 syntax) that matches whole texts only. An expression that cannot be read is a
// *syntax.Error.
func Compile(text string) (*regexp.Regexp, error) {
	if len(text) > longest {
		return nil, fmt.Errorf("a regular expression of %d bytes, at most %d are taken", len(text), longest)
	}
	parsed, err := syntax.Parse(text, syntax.Perl) // by itself, lest a lone parenthesis take effect on what stands around it
	if err != nil {
		return nil, err
	}
	if steps(parsed) > mostSteps {
		return nil, fmt.Errorf("the repetitions in the regular expression make it longer than %d steps", mostSteps)
	}
	return regexp.Compile(`\A(?:` + text + `)\z`)
}

// steps is how long the program of an expression will be, held to what an int can say.
func steps(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1) // each at most 1000, and nested ones together: the parser sees to that
	}
	return n
}
