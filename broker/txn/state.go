package txn

// State is where a transactional id stands; the numbers are those Kafka stores.
type State int8

const (
	// Empty has a producer and has had no transaction since that came.
	Empty State = 0
	// Ongoing has a transaction whose producer writes.
	Ongoing State = 1
	// PrepareCommit is decided: the records count, and the partitions are being told.
	PrepareCommit State = 2
	// PrepareAbort is decided: the records do not count, and the partitions are being told.
	PrepareAbort State = 3
	// CompleteCommit has told every partition.
	CompleteCommit State = 4
	// CompleteAbort has told every partition.
	CompleteAbort State = 5
	// Dead is removed; nobody may use the transaction that says so.
	Dead State = 6
	// PrepareEpochFence is Kafka's step before the abort of somebody else's transaction. Here both are one decision, so
	// no transaction stands there; filters know the name.
	PrepareEpochFence State = 7
)

var stateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

// String is the name that Kafka's requests use.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "Unknown"
	}
	return stateNames[s]
}

// ParseState finds a state by its name.
func ParseState(name string) (State, bool) {
	for i, n := range stateNames {
		if n == name {
			return State(i), true
		}
	}
	return 0, false
}

// resting says whether no transaction is open or being ended.
func (s State) resting() bool { return s == Empty || s == CompleteCommit || s == CompleteAbort }

// prepared says whether the end is decided and not yet told to all.
func (s State) prepared() bool { return s == PrepareCommit || s == PrepareAbort }
