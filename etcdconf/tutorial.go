package etcdconf

import (
	"fmt"
	"strings"
)

// The layout that etcd-driven agents in the wild read: one list of files per host, under the host's name or one
// of its addresses, /logagent/<host or ip>/collect_config.

// tutorialEntry is one file of such a list. Name and rate are what some of those agents add; they change nothing here.
type tutorialEntry struct {
	Path     string `json:"path"`
	LogPath  string `json:"log_path"`
	Topic    string `json:"topic"`
	Service  string `json:"service"`
	SendRate int64  `json:"send_rate"`
}

// tutorialKey is where a host's list lies.
func tutorialKey(host string) string { return tutorialRoot + host + tutorialLeaf }

// tutorialName is the name of the whole list: "collect_config/<host or ip>".
func tutorialName(key string) string {
	return "collect_config/" + strings.TrimSuffix(strings.TrimPrefix(key, tutorialRoot), tutorialLeaf)
}

func isTutorial(v Value) bool { return strings.HasPrefix(v.Name, "collect_config/") }

// ParseInputs reads any value that holds inputs: one of our own holds one, a tutorial list holds one for each of
// its entries, named "collect_config/<topic>:<path>". A list with a bad entry is refused as a whole.
func ParseInputs(v Value) ([]Input, error) {
	if !isTutorial(v) {
		in, err := ParseInput(v)
		if err != nil {
			return nil, err
		}
		return []Input{in}, nil
	}
	var list []tutorialEntry
	lines, found := decode(v, &list, false)
	c := &checker{lines: lines, found: found}
	var inputs []Input
	seen := map[string]bool{}
	for n, e := range list {
		field := fmt.Sprintf("[%d]", n)
		path := orElse(e.Path, e.LogPath)
		c.need(e.Path == "" || e.LogPath == "" || e.Path == e.LogPath, field, "path and log_path must not differ: keep one")
		c.pathPattern(field+".path", path)
		c.topic(field+".topic", e.Topic)
		in := defaultInput()
		in.Name = "collect_config/" + e.Topic + ":" + path
		in.Key, in.Revision, in.Paths, in.Topic = v.Key, v.Revision, []string{path}, e.Topic
		if !seen[in.Name] { // such lists are edited by hand and often say a thing twice
			seen[in.Name] = true
			inputs = append(inputs, in)
		}
	}
	if err := asError(v.Key, c.found); err != nil {
		return nil, err
	}
	return inputs, nil
}
