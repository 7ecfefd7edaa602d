// Package ledger is what an agent says of each file generation on its way to one topic:
// one record of the compacted topic loghaul.account. Its key names the generation, its
// value is an Entry as JSON; a newer record takes the place of an older one, and one
// without a value says that the agent has forgotten the generation.
//
// Whoever holds entries against the records of the topics finds every gap: see package
// verify.
package ledger

import (
	"encoding/json"
	"fmt"
	"time"
)

// Topic is where agents keep their account.
const Topic = "loghaul.account"

// version is of the value; a field that is added does not change it.
const version = 1

// Unknown is the From of a generation of which nobody remembers where reading began.
const Unknown = -1

// AnyPartition is the Partition of a generation whose records have no key.
const AnyPartition = -1

// Entry is the account of one generation on its way to one topic. Positions are bytes
// of the source.
type Entry struct {
	Version    int    `json:"v"`
	Host       string `json:"host"`
	Path       string `json:"path"`       // the first one, which the records' key has
	Generation string `json:"generation"` // 8 hex, as header pos has it
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"` // AnyPartition: its records have no key

	TopicID string `json:"topic_id,omitempty"` // that the last of it went to, as Kafka writes it; "": not known
	Earlier int64  `json:"earlier,omitempty"`  // everything before it went to an earlier topic of this name

	From    int64 `json:"from"`         // where reading began; Unknown: nobody remembers
	Read    int64 `json:"read"`         // up to here it was read
	Acked   int64 `json:"acked"`        // up to here every byte is acknowledged or was left out on purpose
	Tail    int64 `json:"tail_skipped"` // bytes just before Acked that were left out and that no record tells of
	Waiting int64 `json:"waiting"`      // bytes in the file that are not acknowledged

	Skipped         Skipped `json:"skipped"`
	Lost            int64   `json:"lost"`           // bytes that were written and can never be sent
	Gaps            []Gap   `json:"gaps,omitempty"` // of them, the first by their place
	PossibleDoubles int64   `json:"possible_doubles"`

	Ended bool      `json:"ended"` // nothing will be added to it
	Time  time.Time `json:"time"`  // when this was so
}

// Skipped are bytes that were left out on purpose, by reason.
type Skipped struct {
	Filters   int64 `json:"filters"`    // lines that include and drop of the input leave out
	LongLines int64 `json:"long_lines"` // of lines longer than max_line_bytes
	Start     int64 `json:"start"`      // before the place where reading began
}

// Total is all that was left out on purpose.
func (s Skipped) Total() int64 { return s.Filters + s.LongLines + s.Start }

// Gap is a run of bytes that were written and are nowhere.
type Gap struct {
	From    int64 `json:"from"`
	To      int64 `json:"to"`
	AtLeast bool  `json:"at_least,omitempty"` // there may have been more behind it
}

// Key is the record's key. The path is part of it because two files may, once in four
// thousand million times, have the same eight digits.
func (e *Entry) Key() []byte {
	return []byte(e.Topic + ":" + e.Generation + ":" + e.Host + ":" + e.Path)
}

// Value is the record's value.
func (e *Entry) Value() ([]byte, error) {
	e.Version = version
	return json.Marshal(e)
}

// Read reads a record's value.
func Read(value []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(value, &e); err != nil {
		return e, fmt.Errorf("reading an entry of %s: %w", Topic, err)
	}
	if e.Version != version {
		return e, fmt.Errorf("an entry of %s is of version %d and this program knows version %d: use the newer program", Topic, e.Version, version)
	}
	if e.Acked < 0 || e.From < Unknown || e.Tail < 0 || e.Tail > e.Acked || e.Earlier < 0 || e.Topic == "" || e.Generation == "" {
		return e, fmt.Errorf("an entry of %s makes no sense: %.200s", Topic, value)
	}
	return e, nil
}
