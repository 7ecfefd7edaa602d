package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is lost between other records is refused by the broker. What is lost from a partition's beginning is not: the
// partition begins behind it, as behind what retention deleted, and every Kafka client goes on there. So who begins before
// that asks the broker whether something is lost there.

// lostFirst are the offsets that are lost right before the first records of a topic's partitions, as the broker says;
// nobody says it of another cluster.
func (c *cluster) lostFirst(ctx context.Context, topic string, held map[int32]bounds) map[int32]bounds {
	if !slices.ContainsFunc(slices.Collect(maps.Values(held)), func(b bounds) bool { return b.start > 0 }) {
		return nil
	}
	return c.disk(ctx).lostFirst(topic, held)
}

// lostFirst finds them among all that cannot be read.
func (d *diskStatus) lostFirst(topic string, held map[int32]bounds) map[int32]bounds {
	if d == nil {
		return nil
	}
	lost := map[int32]bounds{}
	for _, u := range d.Unreadable {
		if b, asked := held[u.Partition]; asked && u.Topic == topic && u.To == b.start && u.From < u.To {
			lost[u.Partition] = bounds{u.From, u.To}
		}
	}
	return lost
}

// passesOver says whether a reader that begins at the point, which was found at the given offset, would pass over what is
// lost before the partition's first record. Whoever names that record's offset knows of it.
func (p point) passesOver(lost bounds, at record.Offset) bool {
	switch p.kind {
	case atEnd:
		return false
	case atBeginning, atTime: // nobody knows of what time the lost ones were
		return at <= lost.end
	}
	return at < lost.end
}

// lostError names what is lost from a partition's beginning, and the ways on.
func lostError(group, topic string, partition int32, lost bounds) error {
	return fmt.Errorf("offsets %d to %d of %s/%d cannot be read: the broker says that they are lost, and the first record there now is %d; its log and loghaul status groups name the file: %s",
		lost.start, lost.end-1, topic, partition, lost.end, wayPast(group, topic, partition, lost.end))
}

// askCheck tells a loghaul broker of a damaged batch that it handed out: it then checks the file, names it, and refuses what
// is damaged. Other brokers make nothing of the question, and who may not ask it leaves it to the scrub.
func (c *cluster) askCheck(ctx context.Context, topic string, bad *damagedBatch) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 1
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	r.ConfigNames = []string{fmt.Sprintf("loghaul.check/%d/%d", bad.partition, bad.offset)}
	req.Resources = append(req.Resources, r)
	_, _ = c.ask(ctx, req) // the batch is damaged either way, and that is what the user hears
}
