package group

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAGroupThatDoesNotSayWhatItReadsKeepsItsOffsets(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		m := gather(t, c, "g", 1)[0] // its metadata is no subscription
		if err := commitOne(t, c, "g", m, 5); err != nil {
			t.Fatal(err)
		}
		p := c.DeleteOffsets("g", []Partition{{"t", 0}})
		if err := p.Wait(t.Context()); err != nil || !errors.Is(p.Errs[0], ErrSubscribed) {
			t.Fatalf("%v, %v", err, p.Errs)
		}
	})
}

func TestSubscriptionsAreReadWhateverTheirVersion(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		sub := kmsg.ConsumerMemberMetadata{Version: 0, Topics: []string{"t"}}
		metadata := sub.AppendTo(nil)
		metadata[1] = 3 // says more than it has, as some clients do
		r := request("g", "")
		r.Protocols[0].Metadata = metadata
		m := mustJoin(t, joinLater(t, c, r))
		if got := c.mu.groups["g"].topics; !got["t"] {
			t.Fatalf("member %s subscribes to %v", m.Member, got)
		}
	})
}
