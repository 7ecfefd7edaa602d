package produce

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// verdict is what an answer means for the batch that it answers.
type verdict int

const (
	stored    verdict = iota // it is in the log
	passes                   // not now; the same bytes may be sent again
	unsure                   // it may be in the log or not; sent again it is recognised
	sequence                 // a lower batch is missing, or the broker knows us no more
	fenced                   // somebody uses our producer id with a higher epoch
	tooLarge                 // the partition takes smaller batches only
	permanent                // only a person can mend it
)

// judge says what an error code of Produce means; it is the one place that decides
// what is tried again. Codes are Kafka's (org.apache.kafka.common.protocol.Errors).
func judge(code int16) verdict {
	switch code {
	case 0, 46: // NONE, DUPLICATE_SEQUENCE_NUMBER
		return stored
	case 45, 59: // OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID
		return sequence
	case 47, 90: // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED
		return fenced
	case 10, 18: // MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE
		return tooLarge
	case -1, 7, 20, 56: // UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR
		return unsure
	}
	if err := kerr.ErrorForCode(code); kerr.IsRetriable(err) {
		return passes
	}
	return permanent
}

// refusal is the error of an answer, with the broker's own words where it has some. Those of NOT_ENOUGH_REPLICAS lead
// astray where a broker answers it for want of room and says nothing.
func refusal(a answer) error {
	err := kerr.ErrorForCode(a.code)
	switch {
	case a.words != "":
		return fmt.Errorf("%w (the broker says: %s)", err, a.words)
	case errors.Is(err, kerr.NotEnoughReplicas):
		return fmt.Errorf("%w Or the broker has no room on its disk: see loghaul status groups", err)
	}
	return err
}

// Stuck is a refusal that only a person can mend. Sending goes on trying, slowly.
type Stuck struct {
	Topic string
	Mend  string // what to do
	Err   error
}

// Error names the topic, the cause and the mend.
func (s *Stuck) Error() string { return fmt.Sprintf("topic %s: %v: %s", s.Topic, s.Err, s.Mend) }

// Unwrap is the cause.
func (s *Stuck) Unwrap() error { return s.Err }

// stuck puts the mend to a permanent refusal.
func stuck(topic string, err error) error {
	mend := "see the broker's log"
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		mend = fmt.Sprintf("create it (loghaul topic create %s), give the input topic_create, or let the broker create topics (auto.create.topics.enable)", topic)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		mend = "allow this agent's user WRITE, DESCRIBE and READ on the topic, and CREATE if it is to be made"
	case errors.Is(err, kerr.InvalidTopicException):
		mend = "a topic's name has 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'"
	case errors.Is(err, kerr.MessageTooLarge):
		mend = "lower the input's max_line_bytes, or raise the topic's max.message.bytes"
	case errors.Is(err, kerr.InvalidRecord):
		mend = "the topic refuses these records: is cleanup.policy=compact set, and the input's key none?"
	case errors.Is(err, kerr.InvalidTimestamp):
		mend = "set this host's clock"
	}
	return &Stuck{topic, mend, err}
}

// isStuck says whether only a person can mend err.
func isStuck(err error) bool {
	var s *Stuck
	return errors.As(err, &s)
}
