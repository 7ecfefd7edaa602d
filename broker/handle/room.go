package handle

import (
	"fmt"

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
	// Blocked says whether clients are refused now, and why.
	Blocked() (why string, blocked bool)
	// Report is the state of the disk as JSON.
	Report() string
}

// endless is a disk that is always large enough.
type endless struct{}

func (endless) Admit(string, int) error { return nil }
func (endless) Note(int, error)         {}
func (endless) Blocked() (string, bool) { return "", false }
func (endless) Report() string          { return "{}" }

// admit asks for room for what a client brings to a partition. The refusal is that of a full disk: every client of every
// age keeps the batch and sends it again.
func (h *Handlers) admit(in *arrival) error {
	if err := h.cfg.Room.Admit(in.topic.Name, len(in.records)); err != nil {
		return early(errNotEnoughReplicas, "appending to %s-%d: %v", in.topic.Name, in.partition, err)
	}
	return nil
}

// diskSetting is the name under which DescribeConfigs of the broker tells how the disk stands, to who asks for it by
// name: a real Kafka has no such setting and tells nothing.
const diskSetting = "loghaul.disk"

// diskValue is that setting.
func (h *Handlers) diskValue() topics.Value {
	return topics.Value{Name: diskSetting, Value: h.cfg.Room.Report(), ReadOnly: true, Source: topics.FromDefault, Kind: int8(kmsg.ConfigTypeString),
		Meaning: fmt.Sprintf("How the disk under %s stands, as JSON.", h.cfg.Topics.Folder())}
}
