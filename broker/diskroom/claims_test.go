package diskroom

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func TestWhoHoldsAPartition(t *testing.T) {
	now := time.Now()
	at := At{"web_log", 1}
	committed := func(offset record.Offset) map[At]record.Offset { return map[At]record.Offset{at: offset} }
	elsewhere := map[At]record.Offset{{"web_log", 0}: 9}
	takes := func(topic string) bool { return topic == "web_log" }
	others := func(topic string) bool { return topic == "other" }
	for name, c := range map[string]struct {
		claims []Claim
		sinks  []Sink
		want   string // group@offset
	}{
		"nobody":                                        {},
		"members that have committed":                   {claims: []Claim{{Group: "g", Members: 2, Subscribed: []string{"web_log"}, Committed: committed(7)}}, want: "g@7"},
		"members that have not committed":               {claims: []Claim{{Group: "g", Members: 2, Subscribed: []string{"web_log"}}}, want: "g@0"},
		"members that do not say what they read":        {claims: []Claim{{Group: "g", Members: 1, Committed: elsewhere}}, want: "g@0"},
		"members that read something else":              {claims: []Claim{{Group: "g", Members: 1, Subscribed: []string{"other"}}}},
		"members that read something else by now":       {claims: []Claim{{Group: "g", Members: 1, Subscribed: []string{"other"}, Committed: committed(7)}}, want: "g@7"},
		"a commit six days ago":                         {claims: []Claim{{Group: "g", LastCommit: now.Add(-6 * 24 * time.Hour), Committed: committed(7)}}, want: "g@7"},
		"a commit seven days ago":                       {claims: []Claim{{Group: "g", LastCommit: now.Add(-7 * 24 * time.Hour), Committed: committed(7)}}},
		"a commit in another partition of the topic":    {claims: []Claim{{Group: "g", LastCommit: now, Committed: elsewhere}}, want: "g@0"},
		"a commit in another topic":                     {claims: []Claim{{Group: "g", LastCommit: now, Committed: map[At]record.Offset{{"other", 1}: 9}}}},
		"a sink that was never seen":                    {sinks: []Sink{{Name: "es", Group: "g", Takes: takes}}, want: "g@0"},
		"a sink of another topic":                       {sinks: []Sink{{Name: "es", Group: "g", Takes: others}}},
		"a sink whose group is long silent":             {claims: []Claim{{Group: "g", LastCommit: now.Add(-800 * time.Hour), Committed: committed(7)}}, sinks: []Sink{{Name: "es", Group: "g", Takes: takes}}, want: "g@7"},
		"a silent group whose sink reads another topic": {claims: []Claim{{Group: "g", LastCommit: now.Add(-800 * time.Hour), Committed: committed(7)}}, sinks: []Sink{{Name: "es", Group: "g", Takes: others}}},
		"two sinks of one group":                        {sinks: []Sink{{Name: "a", Group: "g", Takes: others}, {Name: "b", Group: "g", Takes: takes}}, want: "g@0"},
		"several groups": {claims: []Claim{{Group: "h", Members: 1, Subscribed: []string{"web_log"}, Committed: committed(9)}, {Group: "g", LastCommit: now, Committed: committed(7)}},
			sinks: []Sink{{Name: "es", Group: "s", Takes: takes}}, want: "g@7 h@9 s@0"},
	} {
		var got []string
		for _, h := range holdsOf(c.claims, c.sinks, now).of(at) {
			got = append(got, h.group+"@"+string(rune('0'+h.from)))
			if h.why == "" {
				t.Errorf("%s: nothing says why %s counts", name, h.group)
			}
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: held by %q, want %q", name, s, c.want)
		}
	}
}
