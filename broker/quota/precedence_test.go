package quota

import (
	"testing"
	"time"
)

// TestTheNearestQuotaCounts takes the quotas away from the nearest on: each time Kafka's next one counts.
func TestTheNearestQuotaCounts(t *testing.T) {
	u, c := Named("u"), Named("c")
	order := []struct {
		entity Entity
		who    metered
	}{
		{Entity{User: u, Client: c}, metered{Produce, "u", "c", ""}},
		{Entity{User: u, Client: Default}, metered{Produce, "u", "c", ""}},
		{Entity{User: u}, metered{Produce, "u", "", ""}},
		{Entity{User: Default, Client: c}, metered{Produce, "u", "c", ""}},
		{Entity{User: Default, Client: Default}, metered{Produce, "u", "c", ""}},
		{Entity{User: Default}, metered{Produce, "u", "", ""}},
		{Entity{Client: c}, metered{Produce, "", "c", ""}},
		{Entity{Client: Default}, metered{Produce, "", "c", ""}},
	}
	q := fresh(t)
	for i, o := range order {
		set(t, q, o.entity, Produce, float64(i+1))
	}
	for i, o := range order {
		if limit, who := q.limit("User:u", "c", Produce); limit != float64(i+1) || who != o.who {
			t.Errorf("with %d quotas gone the limit is %v for %+v, want %d for %+v", i, limit, who, i+1, o.who)
		}
		if limit, _ := q.limit("User:u", "c", Fetch); limit != 0 {
			t.Errorf("a quota for producing limits fetching to %v", limit)
		}
		if err := q.Alter(o.entity, []Change{{Key: Produce, Remove: true}}, false); err != nil {
			t.Fatal(err)
		}
	}
	if limit, _ := q.limit("User:u", "c", Produce); limit != 0 || len(q.List()) != 0 {
		t.Errorf("without quotas the limit is %v, and %v are listed", limit, q.List())
	}
}

func TestANameIsNotTheDefault(t *testing.T) {
	q := fresh(t)
	set(t, q, Entity{User: Default}, Produce, 7)
	set(t, q, Entity{Client: Named("c")}, Produce, 8)
	if limit, _ := q.limit("", "", Produce); limit != 7 {
		t.Errorf("a client without names has the limit %v, want the default's", limit)
	}
	if d := q.Charge("User:a", "x", Produce, 700, time.Unix(0, 0)); d <= 0 {
		t.Error("700 bytes at 7 a second cost nothing")
	}
	if d := q.Charge("User:b", "x", Produce, 7, time.Unix(0, 0)); d != 0 {
		t.Errorf("what one user moved makes another wait %v: a default is for each of them", d)
	}
}
