package handle

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var update = flag.Bool("update", false, "write the version table into DESIGN.md")

func TestEveryRowHasItsHandlerAndVersionsThatCanBeRead(t *testing.T) {
	seen := map[int16]bool{}
	for _, r := range table {
		req := kmsg.RequestForKey(r.key)
		if req == nil || r.max > req.MaxVersion() || r.min > r.max || r.min < 0 || seen[r.key] {
			t.Errorf("row %+v cannot be served", r)
		}
		seen[r.key] = true
		if own := r.key == keyProduce || r.key == keyFetch; own != (r.act == nil) {
			t.Errorf("%s has the wrong path", kmsg.NameForKey(r.key))
		}
	}
	if f := find(keyProduce).flexible; f != 9 {
		t.Errorf("Produce is flexible from %d, want 9", f)
	}
	if f := find(61).flexible; f != 0 {
		t.Errorf("DescribeProducers is flexible from %d, want 0", f)
	}
}

// versionTable is the table as DESIGN.md shows it.
func versionTable() string {
	var b strings.Builder
	b.WriteString("| key | request | advertised | served |\n|---|---|---|---|\n")
	for _, r := range table {
		fmt.Fprintf(&b, "| %d | %s | %d-%d | %d-%d |\n", r.key, kmsg.NameForKey(r.key), r.min, r.max, r.min, r.max)
	}
	return b.String()
}

func TestDesignShowsTheVersionTable(t *testing.T) {
	const path, begin, end = "../DESIGN.md", "<!-- versions -->\n", "<!-- /versions -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks around the version table", path)
	}
	if shown == versionTable() {
		return
	}
	if !*update {
		t.Fatalf("%s shows another version table than the code has: go test ./broker/handle -update", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+versionTable()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
