package java_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// intention is a scene in which this broker is to answer otherwise than a real Kafka.
type intention struct {
	film, command, outcome string
	row                    string // of "Intended differences from Apache Kafka" in broker/DESIGN.md, which gives the reason
}

// intentions are all of them.
var intentions = []intention{
	{"cluster", `blur 'Epoch: \d+' features describe`, "", "features"},
	{"configs", "only exit configs --alter --entity-type brokers --entity-name 1 --add-config no.such.setting=1", "(exit 1)\n", "unknown settings"},
	{"configs", "only no.such configs --describe --entity-type brokers --entity-name 1", "", "unknown settings"},
}

// wanted is the outcome that this broker is to have.
func wanted(film string, sc scene) string {
	for _, in := range intentions {
		if in.film == film && in.command == sc.command {
			return in.outcome
		}
	}
	return sc.outcome
}

func TestIntendedDifferencesAreInTheDesign(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "DESIGN.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "## Intended differences from Apache Kafka")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, in := range intentions {
		if !strings.Contains(table, "\n| "+in.row+" |") {
			t.Errorf("%q is no row of the intended differences in broker/DESIGN.md", in.row)
		}
		scenes := readFilm(t, filepath.Join("testdata", in.film+".film"))
		if !slices.ContainsFunc(scenes, func(s scene) bool { return s.command == in.command }) {
			t.Errorf("%s.film has no scene %q", in.film, in.command)
		}
	}
}
