package transfer

import (
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/worker"
)

// ResetMark is the metadata of a group's commit at an offset that somebody has chosen, made of the metadata that was there
// before. A sink that keeps an offset of its own goes by the commit then. The topic's id is "" where the broker has none.
func ResetMark(before string, to record.Offset, topicID string) string {
	return worker.Moved(before, to, topicID)
}
