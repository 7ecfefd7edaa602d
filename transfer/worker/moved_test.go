package worker

import (
	"maps"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// Who moves a commit keeps who stored what, so that an owner who comes back cuts what others get again.
func TestAMovedCommitIsMarkedAndKeepsItsOwners(t *testing.T) {
	was := Note{Owner: "web-2", Digest: "d", Topic: "old", Handed: map[string]record.Offset{"web-1": 100, "web-3": 3}}
	n := parseNote(Moved(was.String(), 50, "new"))
	if !n.Reset || n.Topic != "new" || n.Owner != "web-2" || n.Digest != "d" || !maps.Equal(n.Handed, map[string]record.Offset{"web-1": 50, "web-3": 3}) {
		t.Errorf("moved to 50 it says %+v", n)
	}
	for _, foreign := range []string{"", "some text", `["a"]`} {
		if got := Moved(foreign, 5, ""); got != `{"r":true}` {
			t.Errorf("a commit with metadata %q moved says %q", foreign, got)
		}
	}
}
