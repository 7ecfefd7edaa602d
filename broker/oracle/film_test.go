package oracle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// film is what a real Kafka told of each script in each version.
type film map[string]map[int16]string

// filmFile holds the films of one request.
func filmFile(key int16) string {
	if key == guarded {
		return filepath.Join("testdata", "guarded.film")
	}
	return filepath.Join("testdata", fmt.Sprintf("%02d_%s.film", key, kmsg.NameForKey(key)))
}

// readFilm reads a film: the script's name, the versions that told the same, ----, what they told, an empty line.
func readFilm(t *testing.T, key int16) film {
	t.Helper()
	b, err := os.ReadFile(filmFile(key))
	if os.IsNotExist(err) {
		return film{}
	}
	if err != nil {
		t.Fatal(err)
	}
	f := film{}
	for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		head, told, ok := strings.Cut(block+"\n", "\n----\n")
		name, versions, both := strings.Cut(head, "\n")
		if !ok || !both {
			t.Fatalf("%s: a scene is a name, versions, ---- and what was told; got %q", filmFile(key), block)
		}
		if f[name] == nil {
			f[name] = map[int16]string{}
		}
		for v := range strings.FieldsSeq(versions) {
			var n int16
			if _, err := fmt.Sscanf(v, "v%d", &n); err != nil {
				t.Fatalf("%s: %q is no version: %v", filmFile(key), v, err)
			}
			f[name][n] = told
		}
	}
	return f
}

// writeFilm writes the scenes of a request in the order of the scripts.
func writeFilm(t *testing.T, key int16, f film) {
	t.Helper()
	var b strings.Builder
	for _, s := range scripts {
		if s.key != key {
			continue
		}
		done := map[int16]bool{}
		for v := range int16(30) {
			told, there := f[s.name][v]
			if !there || done[v] {
				continue
			}
			var same []string
			for w := v; w < 30; w++ {
				if other, there := f[s.name][w]; there && other == told {
					same = append(same, fmt.Sprint("v", w))
					done[w] = true
				}
			}
			fmt.Fprintf(&b, "%s\n%s\n----\n%s\n", s.name, strings.Join(same, " "), told)
		}
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filmFile(key), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
