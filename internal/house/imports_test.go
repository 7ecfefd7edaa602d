package house

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// parts are the three that meet on the Kafka protocol only.
var parts = []string{"agent", "broker", "transfer"}

// rule forbids imports within the module. Both patterns are a room, a room with "/..." for it and all below, or
// "/+" for all below but not itself; from may list exceptions.
type rule struct {
	from, to string
	except   []string // rooms of from that may
	why      string
}

var rules = append([]rule{
	{"main", "...", []string{"internal/cli"}, "main.go is a screenful: the command line is a package, so that each command also runs inside a test"},
	{"internal/...", "internal/cli", nil, "imports run downhill, and the command line is the top"},
	{"etcdconf/...", "internal/cli", nil, "imports run downhill, and the command line is the top"},
	{"etcdconf", "etcdconf/+", nil, "whoever reads configuration does not carry an etcd server along"},
	{"internal/...", "etcdconf/...", []string{"internal/cli"}, "etcdconf stands on internal, not the other way round"},
	{"internal/...", "deploy/...", []string{"internal/cli"}, "only the command line puts parts together"},
	{"etcdconf/...", "deploy/...", nil, "only the command line puts parts together"},
	{"broker/...", "etcdconf/...", nil, "the broker is configured by Kafka's own names and knows no etcd"},
	{"deploy/bench", "internal/cli", nil, "a measurement runs the programs as they are, as processes"},
	{"internal/record", "internal/+", nil, "the batch format is the ground floor"},
	{"internal/line", "internal/+", nil, "what a line is on the wire needs nobody"},
	{"internal/ledger", "internal/+", nil, "what a file's account is on the wire needs nobody"},
}, partRules()...)

// partRules keep the parts apart and their rooms behind the front doors.
func partRules() []rule {
	var list []rule
	for _, p := range parts {
		list = append(list,
			rule{p + "/...", "internal/cli", nil, "imports run downhill, and the command line is the top"},
			rule{p + "/...", "deploy/...", nil, "a part does not know how it is put together with others"},
			rule{p + "/+", p, nil, "a room does not go out through its own front door"},
			rule{p + "/...", "etcdconf/+", nil, "an embedded etcd is up's affair"},
			rule{"internal/...", p + "/...", []string{"internal/cli"}, "what is shared by the parts knows none of them"},
			rule{"internal/cli", p + "/+", nil, "the command line uses front doors, never the rooms behind them"},
			rule{"etcdconf/...", p + "/...", nil, "etcdconf knows keys and revisions, never meanings"},
			rule{"deploy/...", p + "/+", nil, "what puts parts together uses their front doors"},
		)
		for _, other := range parts {
			if other != p {
				list = append(list, rule{p + "/...", other + "/...", nil, "the parts meet on the Kafka protocol, so that a Kafka cluster can take the broker's place"})
			}
		}
	}
	return list
}

// neighbours are the rooms a room may import of its own part: at most the next on the line's way. A room that is not
// named imports none.
var neighbours = map[string][]string{
	"agent/batch":            {"agent/follow", "agent/journal"},
	"agent/follow":           {"agent/archive"},
	"agent/journal":          {"agent/follow"},
	"agent/produce":          {"agent/journal"},
	"agent/spool":            {"agent/follow"},
	"broker/handle":          {"broker/wire", "broker/topics", "broker/group", "broker/txn", "broker/commitlog", "broker/acl", "broker/users", "broker/quota"},
	"broker/group":           {"broker/group/assign", "broker/statelog"},
	"broker/topics":          {"broker/commitlog", "broker/kraft"},
	"broker/diskroom":        {"broker/commitlog"},
	"broker/txn":             {"broker/statelog"},
	"transfer/worker":        {"transfer/sink", "transfer/process"},
	"transfer/sink/file":     {"transfer/sink"},
	"transfer/sink/stdout":   {"transfer/sink"},
	"transfer/sink/sinktest": {"transfer/sink"},
}

// matches tells whether a room fits a rule's pattern.
func matches(room, pattern string) bool {
	if room == "." {
		return pattern == "main" || pattern == "..."
	}
	if pattern == "..." {
		return true
	}
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return room == above || strings.HasPrefix(room, above+"/")
	}
	if above, ok := strings.CutSuffix(pattern, "/+"); ok {
		return strings.HasPrefix(room, above+"/")
	}
	return room == pattern
}

// imported lists the module's own rooms that a file imports.
func imported(t *testing.T, s source) []string {
	t.Helper()
	var rooms []string
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatalf("%s: %v", s.where(), err)
		}
		if rest, own := strings.CutPrefix(p, module); own {
			rooms = append(rooms, strings.TrimPrefix(rest, "/"))
		}
	}
	return rooms
}

func TestImportsRunDownhill(t *testing.T) {
	_, files := tree(t)
	for _, s := range files {
		if s.test { // a test may look at its part from outside
			continue
		}
		for _, to := range imported(t, s) {
			for _, r := range rules {
				allowed := slices.Contains(r.except, s.room) || (r.from == "main" && slices.Contains(r.except, to))
				if matches(s.room, r.from) && matches(to, r.to) && !allowed && s.room != to {
					t.Errorf("%s imports %s: %s", s.where(), to, r.why)
				}
			}
		}
	}
}

func TestRoomsKnowAtMostTheirNeighbours(t *testing.T) {
	_, files := tree(t)
	for _, s := range files {
		part, _, inside := strings.Cut(s.room, "/")
		if s.test || !inside || !slices.Contains(parts, part) {
			continue
		}
		for _, to := range imported(t, s) {
			if strings.HasPrefix(to, part+"/") && !slices.Contains(neighbours[s.room], to) {
				t.Errorf("%s imports %s: a room knows at most its neighbour on the line's way; the front door wires the rest", s.where(), to)
			}
		}
	}
}

func TestPartsNeverMeetInTestsEither(t *testing.T) {
	_, files := tree(t)
	for _, s := range files {
		part, _, _ := strings.Cut(s.room, "/")
		if !s.test || !slices.Contains(parts, part) {
			continue
		}
		for _, to := range imported(t, s) {
			if other, _, _ := strings.Cut(to, "/"); other != part && slices.Contains(parts, other) {
				t.Errorf("%s imports %s: what needs two parts is tested in deploy/e2e, or against kfake", s.where(), to)
			}
		}
	}
}

func TestRulesAreAboutRoomsThatCouldBe(t *testing.T) {
	for pattern, cases := range map[string]map[string]bool{
		"agent/...": {"agent": true, "agent/follow": true, "agents": false, "broker": false},
		"agent/+":   {"agent": false, "agent/follow": true},
		"main":      {".": true, "agent": false},
		"...":       {".": true, "agent": true},
	} {
		for room, want := range cases {
			if got := matches(room, pattern); got != want {
				t.Errorf("matches(%q, %q) = %v, want %v", room, pattern, got, want)
			}
		}
	}
	for _, r := range rules {
		if r.why == "" {
			t.Errorf("the rule %s -> %s gives no reason", r.from, r.to)
		}
	}
}
