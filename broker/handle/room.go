package handle

import (
	"context"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Room keeps the disk from being filled by clients. It is called by many goroutines at once.
type Room interface {
	// Admit says whether so many bytes may be appended to a topic for a client. The error is a sentence for it; it may
	// send the same again later. Without one Note follows.
	Admit(topic string, bytes int) error
	// Note is told how an append that was let in went.
	Note(bytes int, err error)
	// Check says whether something that will take room may be begun for a topic now; the error is a sentence for a client.
	Check(topic string) error
	// Blocked says whether clients are refused now, and why.
	Blocked() (why string, blocked bool)
	// Report is the state of the disk as JSON; it may wait a moment for what is true now.
	Report(ctx context.Context) string
}

// endless is a disk that is always large enough.
type endless struct{}

func (endless) Admit(string, int) error       { return nil }
func (endless) Note(int, error)               {}
func (endless) Check(string) error            { return nil }
func (endless) Blocked() (string, bool)       { return "", false }
func (endless) Report(context.Context) string { return "{}" }

// admit asks for room for what a client brings to a partition. The refusal is that of a full disk: every client of every
// age keeps the batch and sends it again.
func (h *Handlers) admit(in *arrival) error {
	if err := h.cfg.Room.Admit(in.topic.Name, len(in.records)); err != nil {
		return early(errNotEnoughReplicas, "appending to %s-%d: %v", in.topic.Name, in.partition, err)
	}
	return nil
}

// mayMake asks for room for a new topic, or for new partitions of one. The refusal has the code of one that passes, so that
// who can wait does.
func (h *Handlers) mayMake(topic string) error {
	if err := h.cfg.Room.Check(topic); err != nil {
		return coded(errNotEnoughReplicas, "%s gets no new partitions now: %v", topic, err)
	}
	return nil
}

// diskSetting is the name under which DescribeConfigs of the broker tells how the disk stands, to who asks for it by
// name: a real Kafka has no such setting and tells nothing.
const diskSetting = "loghaul.disk"

// reportPatience is how long a request may wait for how the disk stands now, however often it asks.
const reportPatience = 3 * time.Second

// diskValue is that setting.
func (h *Handlers) diskValue(ctx context.Context) topics.Value {
	return topics.Value{Name: diskSetting, Value: h.cfg.Room.Report(ctx), ReadOnly: true, Source: topics.FromDefault, Kind: int8(kmsg.ConfigTypeString),
		Meaning: fmt.Sprintf("How the disk under %s stands, as JSON.", h.cfg.Topics.Folder())}
}
