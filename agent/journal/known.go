package journal

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Register finds the generation g.ID on its way to g.Topic, or takes it up as new
// with g's fields. What g says newer (hashes, end, partition) is written down; the
// positions and the first path of a known one stay. It answers what is known now.
func (j *Journal) Register(g Generation) (Generation, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g.Seen = j.today()
	ref, known := j.mu.byKey[genKey{g.Topic, g.ID}]
	if known {
		have := j.mu.gens[ref]
		if g.sameFacts(have) {
			return have.clone(), nil
		}
		g.Ref, g.Name, g.Path = ref, have.Name, have.Path
		g.Position, g.Begun, g.Carry, g.Lost, g.ahead = have.Position, have.Begun, have.Carry, have.Lost, have.ahead
		g.Gaps, g.From, g.Skips, g.Doubles = have.Gaps, have.From, have.Skips, have.Doubles
		g.Tail, g.TailLength = have.Tail, have.TailLength
		g.TopicID, g.Earlier = have.TopicID, have.Earlier
	} else {
		if g.From != Unknown {
			g.From = g.Position
		}
		g.Ref, g.Begun, g.ahead = j.mu.refs+1, max(g.Begun, g.Position), nil
		g.TopicID, g.Earlier = TopicID{}, 0
	}
	if err := j.write(appendFrame(nil, kindGeneration, g.append)); err != nil {
		return g, err
	}
	fresh := g.clone()
	j.mu.putGeneration(&fresh)
	return g.clone(), nil
}

// sawEvery is how often it is written down that a generation is still there.
const sawEvery = 7 // days

// Saw says that the generation is still there though nothing is read of it, so that
// it is not forgotten.
func (j *Journal) Saw(topic string, id ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.saw(j.mu.byKey[genKey{topic, id}])
}

// SawRef is Saw for who knows the generation's short name.
func (j *Journal) SawRef(ref Ref) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.saw(ref)
}

// saw is Saw; mu is held.
func (j *Journal) saw(ref Ref) {
	g, today := j.mu.gens[ref], j.today()
	if g == nil || today-g.Seen < sawEvery {
		return
	}
	g.Seen = today
	j.fact(appendFrame(nil, kindGeneration, g.append))
}

// sameFacts says whether g adds nothing to have.
func (g *Generation) sameFacts(have *Generation) bool {
	return g.Head == have.Head && g.HeadLength == have.HeadLength &&
		g.Ended == have.Ended && g.Partition == have.Partition && g.Seen == have.Seen
}

func (g *Generation) clone() Generation {
	c := *g
	c.ahead, c.Gaps = slices.Clone(g.ahead), slices.Clone(g.Gaps)
	return c
}

// Known answers what is known of one generation on its way to one topic.
func (j *Journal) Known(topic string, id ID) (Generation, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.mu.gens[j.mu.byKey[genKey{topic, id}]]
	if g == nil {
		return Generation{}, false
	}
	return g.clone(), true
}

// Named answers what is known of the generation that carries this name in header pos on
// its way to one topic.
func (j *Journal) Named(topic string, name line.Generation) (Generation, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.mu.gens[j.mu.byName[nameKey{topic, name}]]
	if g == nil {
		return Generation{}, false
	}
	return g.clone(), true
}

// Get answers what is known of the generation behind ref.
func (j *Journal) Get(ref Ref) (Generation, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.mu.gens[ref]
	if g == nil {
		return Generation{}, false
	}
	return g.clone(), true
}

// Progress answers, of the generation behind ref, up to where it is acknowledged
// and up to where it was begun.
func (j *Journal) Progress(ref Ref) (acked, begun line.Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if g := j.mu.gens[ref]; g != nil {
		return g.Position, g.Begun
	}
	return 0, 0
}

// Generations lists what is known of all generations on their way to topic, oldest
// first as they were taken up.
func (j *Journal) Generations(topic string) []Generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Generation
	for _, ref := range slices.Sorted(maps.Keys(j.mu.gens)) {
		if g := j.mu.gens[ref]; g.Topic == topic {
			out = append(out, g.clone())
		}
	}
	return out
}

// Partition answers where the journal stands with a partition; false: it never
// began a batch there.
func (j *Journal) Partition(at Partition) (PartitionState, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if st := j.mu.parts[at]; st != nil {
		return *st, true
	}
	return PartitionState{Offset: -1, Floor: -1, Producer: record.NoProducer}, false
}

// KeepInput stores an input's value and answers its short name; the same value keeps
// its name. It stays until ReleaseInput was called as often as KeepInput, and then
// for as long as a batch in doubt was framed by it.
func (j *Journal) KeepInput(name string, revision int64, data []byte) (InputRef, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for ref, in := range j.mu.in {
		if in.Name == name && in.Revision == revision && bytes.Equal(in.Data, data) {
			in.users++
			return ref, nil
		}
	}
	in := &Input{Ref: j.mu.ins + 1, Name: name, Revision: revision, Data: slices.Clone(data), users: 1}
	if err := j.write(appendInput(nil, in)); err != nil {
		return 0, err
	}
	j.mu.in[in.Ref], j.mu.ins = in, in.Ref
	return in.Ref, nil
}

// ReleaseInput says that no batch will be framed by the value any more.
func (j *Journal) ReleaseInput(ref InputRef) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if in := j.mu.in[ref]; in != nil {
		in.users--
	}
}

// Forget drops a generation that is gone for good, once nothing of it is in doubt.
func (j *Journal) Forget(ref Ref) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if g := j.mu.gens[ref]; g != nil && g.Acknowledged() {
		j.fact(appendFrame(nil, kindForget, func(b []byte) []byte { return putUint(b, uint64(ref)) }))
		j.mu.forget(ref)
	}
}

// Input answers a stored value.
func (j *Journal) Input(ref InputRef) (Input, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if in := j.mu.in[ref]; in != nil {
		return *in, true
	}
	return Input{}, false
}

// Instance names this journal: made once, by chance, so that a status can be told
// from another agent's.
func (j *Journal) Instance() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.meta.instance
}

// Doubt says why the journal was found to be missing something when it was opened, ""
// when it was whole: the brokers may hold more than it knows.
func (j *Journal) Doubt() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.why
}

// Producer answers the producer id that this journal goes by, -1: none yet.
func (j *Journal) Producer() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.meta.producer
}

// Bind ties the journal to a cluster and to a producer id of it. Another cluster
// than before is refused while batches are in doubt, since only the old one can
// tell what it has of them; otherwise what is known of partitions is dropped.
func (j *Journal) Bind(cluster string, producer int64) error {
	if err := j.bind(cluster, producer); err != nil {
		return err
	}
	// The id is what batches are found by after a power cut.
	return j.Sync()
}

func (j *Journal) bind(cluster string, producer int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.mu.meta
	if m.cluster == cluster && m.producer == producer {
		return nil
	}
	moved := m.cluster != "" && m.cluster != cluster
	if moved && len(j.mu.open) > 0 {
		return fmt.Errorf("%w: it has %d batches in doubt in cluster %s and was pointed at cluster %s: point it back until they are acknowledged",
			ErrOtherCluster, len(j.mu.open), m.cluster, cluster)
	}
	m.cluster, m.producer = cluster, producer
	if err := j.write(appendFrame(nil, kindMeta, m.append)); err != nil {
		return err
	}
	j.mu.setMeta(m)
	return nil
}

// Cluster is the id of the cluster that the journal is bound to, "": none yet.
func (j *Journal) Cluster() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.meta.cluster
}
