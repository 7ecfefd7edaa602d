package handle

import (
	"bytes"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
)

// once leaves one naming of each partition, and one of a topic that is named twice in a row, as Kafka does.
func (f *fetchReply) once() {
	if len(f.logs) < 2 {
		return
	}
	named := namings{known: f.begin().named}
	asked, list := f.req.Partitions, f.req.Topics
	kept, left := 0, 0
	for t, topic := range list {
		first := kept
		for i := topic.First; i < topic.End; i++ {
			if at := named.first(f.logs[i], &topic, asked[i].Index, kept); at < kept {
				asked[at] = asked[i]
				continue
			}
			asked[kept], f.logs[kept] = asked[i], f.logs[i]
			kept++
		}
		switch {
		case first == kept:
		case left > 0 && list[left-1].ID == topic.ID && bytes.Equal(list[left-1].Name, topic.Name):
			list[left-1].End = kept
		default:
			topic.First, topic.End = first, kept
			list[left], f.topics[left], f.denied[left] = topic, f.topics[t], f.denied[t]
			left++
		}
	}
	f.req.Partitions, f.logs = asked[:kept], f.logs[:kept]
	f.req.Topics, f.topics, f.denied = list[:left], f.topics[:left], f.denied[:left]
}

// namings are where in a request each partition is named first: by its log, or as it is named when it has none.
type namings struct {
	known   map[*commitlog.Log]int
	unknown map[unknownPartition]int
}

type unknownPartition struct {
	id    topics.ID
	name  string
	index int32
}

// first is where the partition is named first, which is here unless it was before.
func (n *namings) first(log *commitlog.Log, topic *wire.Topic, index int32, here int) int {
	if log != nil {
		if at, again := n.known[log]; again {
			return at
		}
		n.known[log] = here
		return here
	}
	p := unknownPartition{topic.ID, string(topic.Name), index}
	if at, again := n.unknown[p]; again {
		return at
	}
	if n.unknown == nil {
		n.unknown = map[unknownPartition]int{}
	}
	n.unknown[p] = here
	return here
}
