package etcdconf

// Input is one value under /loghaul/v1/inputs/: which files of which hosts are followed, and what becomes
// of their lines. Every field holds its default where the value did not name it.
type Input struct {
	Name     string   `json:"-"` // "nginx"; a tutorial entry is "collect_config/<topic>:<path>"
	Key      string   `json:"-"` // the etcd key or the file it came from
	Revision Revision `json:"-"` // that wrote it

	Paths        []string          `json:"paths"`                  // patterns of absolute paths; ** crosses folders; required
	Exclude      []string          `json:"exclude,omitempty"`      // patterns of paths left out
	Topic        string            `json:"topic"`                  // the Kafka topic; required
	TopicCreate  *TopicCreate      `json:"topic_create,omitempty"` // how the topic is made if it is not there; nil: the broker's auto-creation
	On           Selector          `json:"on"`                     // the hosts this is meant for; default: every host
	Start        string            `json:"start"`                  // StartBeginning (default) or StartEnd
	KeyBy        string            `json:"key"`                    // KeyPath (default) or KeyNone
	Partition    *int32            `json:"partition,omitempty"`    // always this partition; nil: by key
	Batch        InputBatch        `json:"batch"`                  // when a batch is closed
	Reader       string            `json:"reader"`                 // ReaderNative (default) or ReaderTail
	Format       string            `json:"format"`                 // FormatLine (default), FormatCRI, FormatDocker or FormatAuto
	Encoding     string            `json:"encoding"`               // a name of the WHATWG list, default "utf-8"
	Multiline    *Multiline        `json:"multiline,omitempty"`    // nil: every line is its own record
	Include      []string          `json:"include,omitempty"`      // RE2; a line must match one of them; none: every line
	Drop         []string          `json:"drop,omitempty"`         // RE2; a line that matches one of them is dropped
	Redact       []Redact          `json:"redact,omitempty"`       // replacements before the line leaves the host
	MaxLineBytes Size              `json:"max_line_bytes"`         // longest line sent whole, default 1000000
	LongLines    string            `json:"long_lines"`             // LongSplit (default), LongTruncate or LongSkip
	RateBytes    Size              `json:"rate_bytes"`             // a second and host; 0 (default): unlimited
	Labels       map[string]string `json:"labels,omitempty"`       // become record headers
	Compression  string            `json:"compression"`            // none, gzip, snappy (default), lz4 or zstd
	Paused       bool              `json:"paused"`                 // true: nothing is read, positions stay
}

// Where a file begins to be read when its input is first applied.
const (
	StartBeginning = "beginning" // from its first byte
	StartEnd       = "end"       // from its end; files that come later begin at 0
)

// What becomes the record's key.
const (
	KeyPath = "path" // <host>:<path>, which keeps a file in one partition
	KeyNone = "none" // no key; batches spread over the partitions
)

// Which reader follows the files.
const (
	ReaderNative = "native" // loghaul's own
	ReaderTail   = "tail"   // hpcloud/tail, with its own weaker guarantee
)

// How the lines are wrapped in the file.
const (
	FormatLine   = "line"   // not at all
	FormatCRI    = "cri"    // as containerd and CRI-O write them
	FormatDocker = "docker" // as Docker's json-file driver writes them
	FormatAuto   = "auto"   // whichever of the three the first line shows
)

// What becomes of a line longer than max_line_bytes.
const (
	LongSplit    = "split"    // several records, flagged by header
	LongTruncate = "truncate" // its beginning is sent
	LongSkip     = "skip"     // it is left out
)

// Selector says for which hosts an input is meant; all that is given must match.
type Selector struct {
	Hosts  []string          `json:"hosts,omitempty"`  // patterns of host names, any of them; none: every host
	Labels map[string]string `json:"labels,omitempty"` // labels the agent must carry, with exactly these values
}

// TopicCreate says how a topic is made when it is not there; -1 leaves a number to the broker.
type TopicCreate struct {
	Partitions int32             `json:"partitions"`        // default -1
	Replicas   int16             `json:"replicas"`          // default -1
	Configs    map[string]string `json:"configs,omitempty"` // Kafka's own topic settings
}

// InputBatch says when a batch is closed: by whichever comes first.
type InputBatch struct {
	Bytes Size     `json:"bytes"` // default 262144
	Age   Duration `json:"age"`   // default 5ms; what is there is sent at once when nothing is in flight
}

// Multiline joins lines: a line that matches Start begins a record, the others continue it.
type Multiline struct {
	Start    string   `json:"start"`     // RE2; required
	MaxLines int      `json:"max_lines"` // default 1000
	Timeout  Duration `json:"timeout"`   // after which an open record is closed, default 2s
}

// Redact replaces what Pattern matches.
type Redact struct {
	Pattern string `json:"pattern"` // RE2; required
	With    string `json:"with"`    // may name groups as $1; default "****"
}

// Selects says whether the input is meant for the agent on host with these labels.
func (i Input) Selects(host string, labels map[string]string) bool {
	for name, want := range i.On.Labels {
		if got, ok := labels[name]; !ok || got != want {
			return false
		}
	}
	return len(i.On.Hosts) == 0 || matchesAny(i.On.Hosts, host)
}
