package etcdconf

import "time"

// State is what became of an input or a route; status, console and exit codes go by it.
type State string

// The states of inputs and routes.
const (
	StateApplied    State = "APPLIED"    // an input runs as its newest revision says
	StateApplying   State = "APPLYING"   // an input's newest revision is being taken over
	StateFailed     State = "FAILED"     // the newest revision was refused or cannot run; Error says why, the last good one goes on
	StateOverlapped State = "OVERLAPPED" // another input sends all of these files to the same topic
	StatePaused     State = "PAUSED"     // asked to rest
	StateRunning    State = "RUNNING"    // a route moves records
	StateStopped    State = "STOPPED"    // a route stands still until someone mends it; Error says what

	StateLive State = "LIVE" // an agent or transfer holds its lease
	StateLost State = "LOST" // its lease ran out without a clean end within the last day
)

// AgentStatus is what one agent says about itself in /loghaul/v1/status/agents/<host>.
type AgentStatus struct {
	Host     string            `json:"host"`
	State    State             `json:"state"` // StateLive or StateLost; filled by the reader
	Instance string            `json:"instance"`
	Version  string            `json:"version"`
	Labels   map[string]string `json:"labels,omitempty"`
	Started  time.Time         `json:"started"`
	Inputs   []InputStatus     `json:"inputs"`
	Streams  []StreamStatus    `json:"streams"` // the worst ones when there are many
	Totals   AgentTotals       `json:"totals"`  // over all, also those not listed
}

// AgentTotals are the sums over everything an agent follows.
type AgentTotals struct {
	Inputs          int   `json:"inputs"`
	Streams         int   `json:"streams"`
	LagBytes        int64 `json:"lag_bytes"`        // in the files but not acknowledged
	LagMs           int64 `json:"lag_ms"`           // for how long the slowest file has not come on though it has something
	Records         int64 `json:"records"`          // acknowledged since the start
	Bytes           int64 `json:"bytes"`            // of source files acknowledged since the start
	SkippedBytes    int64 `json:"skipped_bytes"`    // left out on purpose: filters, long lines
	LostBytes       int64 `json:"lost_bytes"`       // written and never to be sent, of all files that are remembered
	SpooledBytes    int64 `json:"spooled_bytes"`    // kept of deleted files because they are not acknowledged
	PossibleDoubles int64 `json:"possible_doubles"` // records sent again without proof that they were missing
}

// InputStatus is what became of one input on one host.
type InputStatus struct {
	Name     string   `json:"name"`
	Topic    string   `json:"topic"`
	State    State    `json:"state"`
	Revision Revision `json:"revision"` // the newest one seen, applied or refused
	Error    string   `json:"error,omitempty"`
	Files    int      `json:"files"`     // that match now
	LagBytes int64    `json:"lag_bytes"` // of all its files
	LagMs    int64    `json:"lag_ms"`    // of the slowest
}

// StreamStatus is where one path stands on its way to one topic.
type StreamStatus struct {
	Path       string `json:"path"`
	Generation string `json:"generation"` // 8 hex
	Input      string `json:"input"`
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"` // -1: not chosen yet
	Position   int64  `json:"position"`  // acknowledged
	Size       int64  `json:"size"`
	Lag        int64  `json:"lag_bytes"` // over all generations of the path
	LagMs      int64  `json:"lag_ms"`    // for how long it has not come on though there is something

	// Of the generation that was read last.
	Skipped         int64 `json:"skipped_bytes"`    // left out on purpose
	Lost            int64 `json:"lost_bytes"`       // written and never to be sent
	PossibleDoubles int64 `json:"possible_doubles"` // records

	Error string `json:"error,omitempty"`
}

// TransferStatus is what one transfer says about itself in /loghaul/v1/status/transfers/<id>.
type TransferStatus struct {
	ID       string        `json:"id"`
	State    State         `json:"state"` // StateLive or StateLost; filled by the reader
	Host     string        `json:"host"`
	Instance string        `json:"instance"`
	Version  string        `json:"version"`
	Started  time.Time     `json:"started"`
	Routes   []RouteStatus `json:"routes"`
}

// RouteStatus is how one topic gets to one sink through one transfer.
type RouteStatus struct {
	Sink       string   `json:"sink"`
	Topic      string   `json:"topic"` // "" for a sink that was refused as a whole
	State      State    `json:"state"`
	Revision   Revision `json:"revision"`
	Partitions []int32  `json:"partitions"` // assigned to this transfer
	LagRecords int64    `json:"lag_records"`
	LagBytes   int64    `json:"lag_bytes"`
	LagMs      int64    `json:"lag_ms"` // age of the oldest record not stored yet
	Error      string   `json:"error,omitempty"`
}
