package handle

import (
	"errors"

	"github.com/loghaul/loghaul/broker/topics"
)

// topicCodes says what each error of the topics' room is on the wire.
var topicCodes = []struct {
	err  error
	code int16
}{
	{topics.ErrExists, errTopicAlreadyExists},
	{topics.ErrUnknown, errUnknownTopicOrPartition},
	{topics.ErrInvalidName, errInvalidTopic},
	{topics.ErrPartitions, errInvalidPartitions},
	{topics.ErrTooMany, errPolicyViolation},
	{topics.ErrSetting, errInvalidConfig},
	{topics.ErrSettings, errPolicyViolation},
	{topics.ErrReadOnly, errInvalidRequest},
}

// longestMessage bounds what a client is told, in bytes: it may name what came with the request, and older versions have
// 15 bits for its length.
const longestMessage = 8 << 10

// topicError is the code and the sentence for what went wrong with a topic. What is left is the disk.
func topicError(err error) (int16, *string) {
	if err == nil {
		return errNone, nil
	}
	message := err.Error()
	message = message[:min(len(message), longestMessage)]
	var c *codedError
	if errors.As(err, &c) {
		return c.code, &message
	}
	for _, c := range topicCodes {
		if errors.Is(err, c.err) {
			return c.code, &message
		}
	}
	return errStorage, &message
}
