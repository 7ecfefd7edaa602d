package group

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// claimOf is what one group claims; it must be there.
func claimOf(t *testing.T, c *Coordinator, id ID) Claim {
	t.Helper()
	list := c.Claims()
	if !slices.IsSortedFunc(list, func(a, b Claim) int { return slices.Compare([]string{a.Group}, []string{b.Group}) }) {
		t.Errorf("claims are not in order: %+v", list)
	}
	for _, claim := range list {
		if claim.Group == string(id) {
			return claim
		}
	}
	t.Fatalf("no claim of %s among %+v", id, list)
	return Claim{}
}

func TestAGroupClaimsWhatItReadsAndHowFar(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		if list := c.Claims(); len(list) != 0 {
			t.Fatalf("without groups there are claims: %+v", list)
		}
		if err := commitOne(t, c, "alone", JoinResult{}, 3); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		pass(time.Hour)
		r := request("g", "")
		r.Protocols[0].Metadata = (&kmsg.ConsumerMemberMetadata{Version: 1, Topics: []string{"u", "t"}}).AppendTo(nil)
		m := mustJoin(t, joinLater(t, c, r))
		syncAll(t, c, "g", []JoinResult{m})
		if claim := claimOf(t, c, "g"); claim.Members != 1 || !claim.LastCommit.IsZero() || len(claim.Committed) != 0 || !slices.Equal(claim.Subscribed, []string{"t", "u"}) || claim.State != Stable {
			t.Errorf("a group that has committed nothing claims %+v", claim)
		}
		if err := commitOne(t, c, "g", m, 5); err != nil {
			t.Fatal(err)
		}
		claim := claimOf(t, c, "g")
		if claim.Committed[Partition{"t", 0}] != 5 || !claim.LastCommit.After(began.Add(59*time.Minute)) {
			t.Errorf("the group claims %+v, want offset 5 of t-0 and the time of that commit", claim)
		}
		if claim := claimOf(t, c, "alone"); claim.Members != 0 || claim.Subscribed != nil || claim.Committed[Partition{"t", 0}] != 3 || claim.LastCommit.After(began) {
			t.Errorf("the group without members claims %+v", claim)
		}
		if got := c.Readers(Partition{"t", 0}); !slices.Equal(got, []Reader{{"alone", 3}, {"g", 5}}) {
			t.Errorf("readers of t-0 are %+v", got)
		}
		if got := c.Readers(Partition{"t", 1}); len(got) != 0 {
			t.Errorf("readers of t-1 are %+v", got)
		}
		claim.Committed[Partition{"t", 0}] = 9 // the caller's own
		if got := fetchOne(t, c, "g"); got != 5 {
			t.Errorf("writing into a claim moved the group to %d", got)
		}
	})
}

func TestACommitOnItsWayToTheDiskIsNoClaim(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		if err := commitOne(t, c, "g", JoinResult{}, 3); err != nil {
			t.Fatal(err)
		}
		log.lag = time.Hour
		p := c.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: []Commit{{Partition: Partition{"t", 0}, Offset: 8}, {Partition: Partition{"t", 1}, Offset: 8}}})
		if claim := claimOf(t, c, "g"); claim.Committed[Partition{"t", 0}] != 3 || len(claim.Committed) != 1 {
			t.Errorf("before the disk has it the group claims %+v, want 3 of t-0 alone", claim.Committed)
		}
		if got := c.Readers(Partition{"t", 1}); len(got) != 0 {
			t.Errorf("readers of t-1 are %+v before the disk has the commit", got)
		}
		p.Wait(t.Context())
		if claim := claimOf(t, c, "g"); claim.Committed[Partition{"t", 0}] != 8 || claim.Committed[Partition{"t", 1}] != 8 {
			t.Errorf("then the group claims %+v, want 8 of both", claim.Committed)
		}
	})
}

func TestAConsumerGroupClaimsItsTopics(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		topics.set("other", 1)
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "other", "missing")
		settle(t, a, b)
		if claim := claimOf(t, c, "g"); claim.Members != 2 || !slices.Equal(claim.Subscribed, []string{"missing", "other", "t"}) {
			t.Errorf("the group claims %+v", claim)
		}
	})
}
