package journal

import (
	"time"

	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Seq numbers the batches of one journal in the order of their Begin, from 1.
type Seq uint64

// Ref is a journal's short name for one generation on its way to one topic.
type Ref uint32

// InputRef is a journal's short name for one value of one input; 0 is none.
type InputRef uint32

// ID is a generation's identity in the file system: never from chance, so that it
// can be found again (DESIGN.md of the agent).
type ID struct {
	FS, Inode uint64
	Birth     int64  // nanoseconds since 1970, 0 where the file system keeps none
	Cut       uint32 // truncations seen
}

// Partition is one partition of one topic.
type Partition struct {
	Topic  string
	Number int32
}

// TopicID is the id that a cluster gave a topic; all zero where it gives none.
type TopicID [16]byte

// Range is a run of source bytes of one generation that became Count records, one
// after another. It covers the bytes from Start-Carry to End.
type Range struct {
	Ref      Ref
	Start    line.Position // the first byte of the first record
	End      line.Position // after the last byte of the last
	HardEnd  line.Position // no frame of this range may reach beyond it
	Carry    int64         // bytes before Start that were skipped on purpose
	Part     int32         // above 0: the range is this piece of an over-long line
	PartLast bool          // and it is the last one
	Count    int32         // records
	Skips    Skips         // left out on purpose in it or just before it, and not counted before

	Tail       uint64 // hash of the TailLength bytes just before End
	TailLength int
}

// Entry is one batch as it was journaled before it was sent.
type Entry struct {
	Seq       Seq // set by Begin
	Partition Partition
	TopicID   TopicID
	Producer  record.Producer // Sequence is that of the first record
	Count     int32           // records
	CRC       uint32          // CRC32C of the framed records before compression
	Input     InputRef        // the value that framed it
	Begun     time.Time       // to the millisecond
	Ranges    []Range
}

// LastSequence is the sequence of the batch's last record; it wraps as Kafka's does.
func (e *Entry) LastSequence() int32 { return record.AddSequence(e.Producer.Sequence, e.Count-1) }

// Bytes is the length of the source lines that became the batch.
func (e *Entry) Bytes() (n int64) {
	for _, r := range e.Ranges {
		n += int64(r.End - r.Start)
	}
	return n
}

// Generation is what the journal knows of one generation on its way to one topic.
type Generation struct {
	Ref        Ref // set by Register
	Topic      string
	ID         ID
	Name       line.Generation // as header pos carries it
	Path       string          // the first path, which names the key
	Began      int64           // when it began, nanoseconds since 1970
	Head       uint64          // hash of the first HeadLength bytes
	HeadLength int
	Tail       uint64        // hash of the TailLength bytes just before Begun
	TailLength int           // 0: not known
	Ended      bool          // no byte will be added any more
	Partition  int32         // where its lines go until it ends; -1: spread
	Position   line.Position // everything before it is acknowledged or skipped
	Begun      line.Position // everything before it was begun
	Carry      int64         // bytes just before Begun that were skipped on purpose
	Lost       int64         // bytes that were begun and then were nowhere to be found
	Seen       int32         // the day on which it was last seen, as Journal.today counts
	Gaps       []Gap         // of Lost, the first of them by their place
	From       line.Position // where reading began; Unknown: an earlier journal knew
	Skips      Skips         // left out on purpose of what is acknowledged
	Doubles    int64         // records that were sent again without proof that they were missing
	TopicID    TopicID       // of the topic that its last batch was begun for; all zero: none, or an older version did not say
	Earlier    line.Position // everything before it was begun for an earlier topic of that name
	ahead      spans         // acknowledged above Position
	account    account
	older      Ref // the one taken up before it with the same path, 0: none
}

// Acknowledged says whether nothing of the generation is in doubt.
func (g *Generation) Acknowledged() bool { return g.Position >= g.Begun }

// Input is one value of one input, kept while a batch in doubt was framed by it.
type Input struct {
	Ref      InputRef
	Name     string
	Revision int64
	Data     []byte // the JSON
	users    int    // who still frames by it in this process
}

// PartitionState is where the journal stands with one partition.
type PartitionState struct {
	TopicID  TopicID
	Producer record.Producer // of the last batch begun; Sequence is the next one to use
	Offset   record.Offset   // the highest acknowledged under this id and epoch, -1: none yet
	Floor    record.Offset   // the highest acknowledged in this topic at all, -1: none: what is unknown of ours lies above it
	Begun    time.Time       // of the last batch
}
