package etcdconf

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Revision counts the changes of one etcd cluster, e.g. 4711; a value carries the revision that wrote
// it. A value read from a file carries the file's modification time in milliseconds instead.
type Revision int64

// Value is one configuration value as it lies in etcd or in a file, not yet understood. Its Data is
// shared by everyone who holds the Value and is never written to.
type Value struct {
	Name     string   // "nginx": the last part of the key, or the file's name without .json
	Key      string   // "/loghaul/v1/inputs/nginx", or the file's path; what errors name
	Revision Revision // that wrote it
	Data     []byte   // the JSON
	Err      error    // why Data could not be had, for a file that cannot be read; nil otherwise
}

// same says whether both hold the very same version of one value.
func (v Value) same(w Value) bool {
	return v.Name == w.Name && v.Key == w.Key && v.Revision == w.Revision && bytes.Equal(v.Data, w.Data) &&
		(v.Err == nil) == (w.Err == nil) && (v.Err == nil || v.Err.Error() == w.Err.Error())
}

// Source is where configuration comes from: etcd, a folder of files, or memory.
type Source interface {
	// Watch calls apply first with the whole and then with the whole again after each change, ordered
	// by name and from one goroutine at a time. It blocks and returns nil when ctx ends, or an error
	// that cannot pass; what passes by itself, such as etcd being away, it waits out.
	Watch(ctx context.Context, apply func(values []Value)) error
}

// Kind is what a value describes: an input or a sink.
type Kind string

// The kinds of values, each the name of its folder in etcd.
const (
	KindInput Kind = "inputs"
	KindSink  Kind = "sinks"
)

const (
	root         = "/loghaul/v1/"
	tutorialRoot = "/logagent/"
	tutorialLeaf = "/collect_config"
)

// Prefix is the etcd key under which all values of this kind lie, e.g. "/loghaul/v1/inputs/".
func (k Kind) Prefix() string { return root + string(k) + "/" }

// Key is the etcd key of the value with this name.
func (k Kind) Key(name string) string { return k.Prefix() + name }

// Noun is the kind in the singular, for messages: "input" or "sink".
func (k Kind) Noun() string { return strings.TrimSuffix(string(k), "s") }

// AgentKey is the etcd key of the status of the agent on host.
func AgentKey(host string) string { return agentPrefix + url.PathEscape(host) }

// TransferKey is the etcd key of the status of the transfer with this id.
func TransferKey(id string) string { return transferPrefix + url.PathEscape(id) }

const (
	agentPrefix    = root + "status/agents/"
	transferPrefix = root + "status/transfers/"
)

var nameShape = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// CheckName refuses what cannot be the name of an input or a sink.
func CheckName(name string) error {
	if nameShape.MatchString(name) {
		return nil
	}
	return fmt.Errorf("the name %q must be 1 to 63 of a-z, 0-9 and -", name)
}

func sortValues(values []Value) {
	slices.SortFunc(values, func(a, b Value) int {
		return strings.Compare(a.Name+"\x00"+a.Key, b.Name+"\x00"+b.Key)
	})
}
