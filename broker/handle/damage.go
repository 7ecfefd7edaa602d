package handle

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
)

// A reader that comes to records that are damaged, or in no file, is answered CORRUPT_MESSAGE. No other code does:
// OFFSET_OUT_OF_RANGE makes clients go on at an end of the log, past sound records, and most say so nowhere;
// KAFKA_STORAGE_ERROR is hidden by Java clients, which ask for ever; and the next segment's records would be a silent
// skip. With this one the Java consumer throws from poll with partition and offset, sarama, librdkafka and kafka-go hand
// it to the application, franz-go where it is told to keep such errors; all of them stay where they are. The answer takes
// its time, so that nobody asks in a tight loop.
const (
	damagePatience = 500 * time.Millisecond
	damageRepeat   = time.Hour // between two lines about one place
	mostPlaces     = 1000      // that are told apart
)

const damageMend = "put back a copy of the file while the broker is stopped, let the group go on behind it (loghaul group reset, or kafka-consumer-groups --reset-offsets), " +
	"or give up all that lies before with loghaul topic trim"

// place is where readers come to a stop.
type place struct {
	topic     string
	partition int32
	path      string
	position  int64
}

// stops remembers when a place was told of, and how many requests have come to it since.
type stops struct {
	mu struct {
		sync.Mutex
		at map[place]*stop
	}
}

type stop struct {
	said    time.Time
	refused int // since
}

// note counts a refused read; say is true for the first one, and once an hour, with how many there were since.
func (s *stops) note(at place, now time.Time) (refused int, say bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.mu.at[at]
	if known == nil && len(s.mu.at) >= mostPlaces {
		at = place{}
		known = s.mu.at[at]
	}
	if known == nil {
		if s.mu.at == nil {
			s.mu.at = map[place]*stop{}
		}
		known = &stop{}
		s.mu.at[at] = known
	}
	known.refused++
	if !known.said.IsZero() && now.Sub(known.said) < damageRepeat {
		return known.refused, false
	}
	refused, known.said, known.refused = known.refused, now, 0
	return refused, true
}

// isDamage says whether stored records cannot be read because of what they are, not because the disk fails now.
func isDamage(err error) bool {
	return errors.Is(err, commitlog.ErrDamaged) || errors.Is(err, record.ErrFormat) || errors.Is(err, record.ErrShort) || errors.Is(err, record.ErrCorrupt)
}

// sought is what a reader asked for that came to damage: an offset, or a time.
type sought struct {
	what string
	at   int64
}

// sayDamage tells the operator of a reader that came to damage, once an hour for each place, and has the file checked then.
func (h *Handlers) sayDamage(peer Peer, topic string, partition int32, asked sought, err error) {
	at := place{topic: topic, partition: partition, position: asked.at}
	var storage *commitlog.StorageError
	if errors.As(err, &storage) {
		at.path, at.position = storage.Path, storage.Position
	}
	if refused, say := h.stops.note(at, time.Now()); say {
		h.log.Error("a reader is at records that are damaged or lost and gets CORRUPT_MESSAGE: "+damageMend, peer.Who(), "topic", topic, "partition", partition,
			asked.what, asked.at, "requests", refused, "error", err)
		if t := h.cfg.Topics.Get(topic); t != nil && t.Partition(partition) != nil {
			h.cfg.Topics.Doubt(t.Partition(partition), record.Offset(asked.at), err) // the file that err names goes before a time
		}
	}
}

// checkSetting begins the name by which a reader that was handed a batch with a wrong checksum says so, where it asks
// DescribeConfigs for a topic's settings: loghaul.check/PARTITION/OFFSET. Batches go out as they lie on the disk, so only
// readers see their checksums; a real Kafka has no such setting and tells nothing.
const checkSetting = "loghaul.check/"

// checkAsked has the file checked that holds the offset, once an hour for each; there is nothing to answer.
func (h *Handlers) checkAsked(topic *topics.Topic, names []string) {
	for _, name := range names {
		where, asked := strings.CutPrefix(name, checkSetting)
		index, offset, both := strings.Cut(where, "/")
		if !asked || !both {
			continue
		}
		n, err := strconv.ParseInt(index, 10, 32)
		at, err2 := strconv.ParseInt(offset, 10, 64)
		if err != nil || err2 != nil || topic.Partition(int32(n)) == nil {
			continue
		}
		if _, first := h.stops.note(place{topic: topic.Name, partition: int32(n), path: checkSetting, position: at}, time.Now()); first {
			h.cfg.Topics.Doubt(topic.Partition(int32(n)), record.Offset(at), nil)
		}
		return // one for each request: a file may be large
	}
}
