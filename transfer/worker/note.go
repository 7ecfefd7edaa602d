package worker

import (
	"encoding/json"

	"github.com/loghaul/loghaul/internal/record"
)

// Note is the metadata of a commit: who stored what the commit answers for.
type Note struct {
	Owner  string `json:"o,omitempty"` // the store that holds the records before the offset, "web-1/5f0c9a"
	Digest string `json:"v,omitempty"` // of the sink's value in force
	Topic  string `json:"t,omitempty"` // the topic's id: offsets of an older topic of this name mean nothing
	// Handed says where each earlier owner's last commit stood when another one went on from it.
	Handed map[string]record.Offset `json:"h,omitempty"`
	// Reset says that somebody moved the commit on purpose: it wins over what a sink remembers.
	Reset bool `json:"r,omitempty"`
}

// maxNote keeps a note under the 4096 bytes that brokers take (offset.metadata.max.bytes).
const maxNote = 3500

// String encodes the note; earlier owners that do not fit are left out, the longest gone first.
func (n Note) String() string {
	for {
		b, err := json.Marshal(n)
		if err != nil {
			return "" // cannot be: strings and numbers
		}
		if len(b) <= maxNote || len(n.Handed) == 0 {
			return string(b)
		}
		oldest := ""
		for owner, at := range n.Handed {
			if oldest == "" || at < n.Handed[oldest] {
				oldest = owner
			}
		}
		handed := make(map[string]record.Offset, len(n.Handed))
		for owner, at := range n.Handed {
			if owner != oldest {
				handed[owner] = at
			}
		}
		n.Handed = handed
	}
}

// Moved is the metadata of a commit that somebody moves to an offset on purpose: made of what it was, with the reset mark,
// and for the topic that has this id now.
func Moved(metadata string, to record.Offset, topic string) string {
	n := parseNote(metadata)
	n.Reset, n.Topic = true, topic
	for owner, at := range n.Handed { // what lies behind comes again, to somebody else
		n.Handed[owner] = min(at, to)
	}
	return n.String()
}

// parseNote reads a commit's metadata; what another program wrote there is an empty note.
func parseNote(s string) Note {
	var n Note
	if json.Unmarshal([]byte(s), &n) != nil {
		return Note{}
	}
	return n
}

// takeOver is the note with which owner goes on from a commit at offset, and where owner's own last commit stood if
// others went on from it meanwhile; -1 if not.
func (n Note) takeOver(owner string, offset record.Offset) (mine Note, left record.Offset) {
	mine, left = Note{Owner: owner, Handed: map[string]record.Offset{}}, -1
	for o, at := range n.Handed {
		mine.Handed[o] = at
	}
	if n.Owner != "" && n.Owner != owner {
		mine.Handed[n.Owner] = offset
		left = n.Handed[owner] // 0 when it is not known any more: everything may have been handed over
	}
	delete(mine.Handed, owner)
	return mine, left
}
