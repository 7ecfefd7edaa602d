package agent

import (
	"cmp"
	"errors"
	"math"
	"os"
	"slices"
	"time"

	"github.com/loghaul/loghaul/agent/archive"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
)

const (
	// unpackBytes bounds the memory for archives that are read at once.
	unpackBytes = 32 << 20
	// waitArchive is how long a stream waits for an archive that cannot be read yet.
	waitArchive = 200 * time.Millisecond
)

// known is what the journal knows of a topic's generations, as archives are held against it.
type known struct {
	j     *journal.Journal
	topic string
}

// Of answers what is known of one generation, which is there.
func (k *known) Of(id follow.ID) (follow.Checkpoint, bool) {
	g, ok := k.j.Known(k.topic, journalID(id))
	if !ok {
		return follow.Checkpoint{}, false
	}
	k.j.Saw(k.topic, g.ID)
	return checkpoint(g), true
}

// damaged keeps err for the status if it is what is wrong with an archive for good.
func (s *stream) damaged(err error) bool {
	var bad *archive.Damage
	if !errors.As(err, &bad) {
		return false
	}
	s.shown.Lock()
	defer s.shown.Unlock()
	s.shown.damage = bad
	return true
}

// oldestFirst puts streams of archives before the others, those written first before
// the others of them.
func oldestFirst(streams []*stream) {
	ages := map[*stream]int64{}
	for _, s := range streams {
		ages[s] = math.MaxInt64
		if _, ok := archive.Trim(s.id.path); !ok {
			continue
		}
		if st, err := os.Stat(s.id.path); err == nil {
			ages[s] = st.ModTime().UnixNano()
		}
	}
	slices.SortStableFunc(streams, func(a, b *stream) int { return cmp.Compare(ages[a], ages[b]) })
}

// At lists the generations that were first found under one of these paths.
func (k *known) At(paths []string) (found []follow.Checkpoint) {
	for _, path := range paths {
		for _, g := range k.j.At(k.topic, path) {
			found = append(found, checkpoint(g))
		}
	}
	return found
}
