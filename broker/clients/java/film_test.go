package java_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// scene is one command of a film and what a real Kafka's tools said to it.
type scene struct {
	above   []string // comments and empty lines before it, kept by -update
	command string
	stdin   string
	outcome string // normalised, see normal_test.go
	line    int    // of the command in its file
}

// readFilm reads a film: a command, lines of standard input that begin with "<", a line ----, the outcome up to an
// empty line. Lines that begin with # are comments.
func readFilm(t *testing.T, file string) []scene {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var scenes []scene
	var s scene
	state := 0 // 0 before a command, 1 behind it, 2 in the outcome
	for i, line := range strings.Split(string(b), "\n") {
		switch {
		case state == 2 && line != "":
			s.outcome += line + "\n"
		case state == 2 || state == 1 && line == "":
			scenes, s, state = append(scenes, s), scene{above: []string{""}}, 0
		case state == 0 && (line == "" || strings.HasPrefix(line, "#")):
			s.above = append(s.above, line)
		case state == 0:
			s.command, s.line, state = line, i+1, 1
		case line == "----":
			state = 2
		case strings.HasPrefix(line, "<"):
			s.stdin += strings.TrimPrefix(strings.TrimPrefix(line, "<"), " ") + "\n"
		default:
			t.Fatalf("%s:%d: %q is neither input (<) nor ----", file, i+1, line)
		}
	}
	if state != 0 {
		scenes = append(scenes, s)
	}
	return scenes
}

// writeFilm is the other direction.
func writeFilm(t *testing.T, file string, scenes []scene) {
	t.Helper()
	var b bytes.Buffer
	for _, s := range scenes {
		above := slices.CompactFunc(s.above, func(a, b string) bool { return a == "" && b == "" })
		for _, line := range above {
			b.WriteString(line + "\n")
		}
		b.WriteString(s.command + "\n")
		for line := range strings.Lines(s.stdin) {
			b.WriteString("< " + line)
		}
		fmt.Fprintf(&b, "----\n%s", s.outcome)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// words splits a command as a shell would, as far as single quotes.
func words(line string) []string {
	var list []string
	var word strings.Builder
	quoted, begun := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				list = append(list, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		list = append(list, word.String())
	}
	return list
}

// difference shows where two outcomes part.
func difference(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, c := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			c = g[i]
		}
		if a != c {
			fmt.Fprintf(&b, "  want %s\n  got  %s\n", a, c)
		}
	}
	return b.String()
}
