package kafka

import (
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/shape"
)

// mostDecoded is the largest answer in bytes that is decoded into structs, which are up to sixteen times as large. Only
// Fetch has larger ones: its records stay bytes.
const mostDecoded = 16 << 20

const keyFetch = 1

//go:embed replies.txt
var repliesText string

// replies says of what the answers consist that this program asks for.
var replies = sync.OnceValue(func() shape.Table {
	t, err := shape.Parse(repliesText)
	if err != nil {
		panic("internal/kafka: replies.txt: " + err.Error())
	}
	return t
})

// decode reads an answer's body behind its header, whose tagged fields only flexible versions have, and ApiVersions
// never. Whoever answers on a broker's address may be anybody: an answer is walked over before it is decoded, so that its
// counts and lengths make no more than its bytes can hold.
func decode(resp kmsg.Response, b []byte) error {
	if resp.IsFlexible() && resp.Key() != 18 {
		if len(b) == 0 || b[0] != 0 {
			return errors.New("the answer's header has unknown tagged fields")
		}
		b = b[1:]
	}
	if len(b) > mostDecoded && resp.Key() != keyFetch {
		return fmt.Errorf("the answer has %d bytes, at most %d are taken: is this a Kafka broker?", len(b), mostDecoded)
	}
	if all := replies(); all.Knows(resp.Key(), resp.GetVersion()) {
		if _, err := all.Skim(resp.Key(), resp.GetVersion(), b); err != nil {
			return fmt.Errorf("the answer is malformed: %w", err)
		}
	}
	return resp.ReadFrom(b)
}
