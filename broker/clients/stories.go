package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Stories runs all that a client can do against the broker at addr.
func Stories(t *testing.T, addr string, c Client) {
	t.Run("codecs", func(t *testing.T) { codecs(t, addr, c) })
	t.Run("newest", func(t *testing.T) { newest(t, addr, c) })
	if c.OffsetAt != nil {
		t.Run("times", func(t *testing.T) { times(t, addr, c) })
	}
	if c.Member != nil {
		t.Run("resume", func(t *testing.T) { t.Parallel(); resume(t, addr, c) })
		t.Run("first", func(t *testing.T) { t.Parallel(); first(t, addr, c) })
		t.Run("groups", func(t *testing.T) { t.Parallel(); groups(t, addr, c) })
	}
}

// step gives one step of a story its time.
func step(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// codecs sends what records can be with each codec, and wants the same back.
func codecs(t *testing.T, addr string, c Client) {
	var each sync.WaitGroup
	for _, codec := range c.Codecs {
		topic := Topic(t, addr, "codec-"+codec, 2)
		each.Go(func() {
			if err := roundTrip(step(t), addr, topic, c, codec); err != nil {
				t.Errorf("with %s: %v", codec, err)
			}
		})
	}
	each.Wait()
}

// kinds are records of every kind that a client's format can carry, 256 for each of two partitions.
func kinds(c Client) []Record {
	list := []Record{
		{Key: []byte("key"), Value: []byte("value")},
		{Key: []byte("deleted"), Value: nil},
		{Key: nil, Value: []byte("")},
		{Key: nil, Value: []byte("\x00\xff\x80 not text")},
		{Key: []byte("long"), Value: []byte(strings.Repeat("abcdefgh", 12_000))},
	}
	if c.Null {
		list[2].Value = nil
	}
	for i := len(list); i < 512; i++ {
		list = append(list, Record{Partition: int32(i % 2), Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "line %d", i)})
	}
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for i := range list {
		if c.Headers {
			list[i].Headers = []Header{{"pos", fmt.Sprint(i)}, {"pos", "twice"}, {"empty", ""}}
		}
		if c.Times {
			list[i].Time = at.Add(time.Duration(i) * time.Second)
		}
	}
	return list
}

// roundTrip sends with one codec and reads all back, and three from the middle.
func roundTrip(ctx context.Context, addr, topic string, c Client, codec string) error {
	sent := kinds(c)
	if err := c.Produce(ctx, addr, topic, codec, sent); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	for p := range int32(2) {
		var want []Record
		for _, r := range sent {
			if r.Partition == p {
				want = append(want, r)
			}
		}
		got, err := c.Consume(ctx, addr, topic, p, Oldest, len(want))
		if err != nil {
			return fmt.Errorf("consuming: %w", err)
		}
		if err := same(got, want); err != nil {
			return err
		}
		if p == 1 {
			continue
		}
		if got, err = c.Consume(ctx, addr, topic, p, 100, 3); err != nil {
			return fmt.Errorf("consuming from offset 100 on: %w", err)
		}
		if err := same(got, want[100:103]); err != nil {
			return fmt.Errorf("from offset 100 on: %w", err)
		}
	}
	return nil
}

// same names the first record that is not what it should be.
func same(got, want []Record) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records came, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].String() != want[i].String() {
			return fmt.Errorf("record %d is %.200s, want %.200s", i, got[i], want[i])
		}
		if i > 0 && got[i].Offset != got[i-1].Offset+1 {
			return fmt.Errorf("record %d is at offset %d, the one before it at %d", i, got[i].Offset, got[i-1].Offset)
		}
	}
	return nil
}

// newest reads from the end on and gets only what comes later.
func newest(t *testing.T, addr string, c Client) {
	topic := Topic(t, addr, "newest", 1)
	if err := c.Produce(step(t), addr, topic, "none", Lines(0, 50, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	var got []Record
	ctx, cancel := context.WithCancel(step(t))
	defer cancel()
	go func() {
		var err error
		got, err = c.Consume(ctx, addr, topic, 0, Newest, 1)
		cancel()
		ended <- err
	}()
	for n := 50; ctx.Err() == nil; n++ { // until the consumer has found the end
		if err := c.Produce(step(t), addr, topic, "none", Lines(n, n+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got[0].Offset < 50 || string(got[0].Value) != fmt.Sprintf("line %d", got[0].Offset) {
		t.Errorf("from the newest on came %s at offset %d, want one that was sent later than offset 49", got[0], got[0].Offset)
	}
}

// times finds records by their time.
func times(t *testing.T, addr string, c Client) {
	topic := Topic(t, addr, "times", 1)
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	sent := Lines(0, 60, 1)
	for i := range sent {
		sent[i].Time = began.Add(time.Duration(i) * time.Second)
	}
	if err := c.Produce(step(t), addr, topic, "gzip", sent); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		at     time.Time
		offset int64
	}{{began.Add(-time.Minute), 0}, {began, 0}, {began.Add(30 * time.Second), 30}, {began.Add(30*time.Second + time.Millisecond), 31}, {began.Add(59 * time.Second), 59}} {
		got, err := c.OffsetAt(step(t), addr, topic, 0, want.at)
		if err != nil || got != want.offset {
			t.Errorf("%s after the first record's time is offset %d, %v, want %d", want.at.Sub(began), got, err, want.offset)
		}
	}
}

// resume lets one member read, leave, and another go on where it was.
func resume(t *testing.T, addr string, c Client) {
	topic := Topic(t, addr, "resume", 4)
	if err := c.Produce(step(t), addr, topic, "none", Lines(0, 400, 4)); err != nil {
		t.Fatal(err)
	}
	g, a := newCrew(t, c, addr, topic), admin(t, addr)
	one := g.join()
	Eventually(t, "the first member to read all", func() bool { return g.distinct() == 400 })
	two := g.join()
	Eventually(t, "the members to share", func() bool { return slices.Equal(shares(t, a, g.to.Group), []int{2, 2}) })
	if err := c.Produce(step(t), addr, topic, "none", Lines(400, 800, 4)); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "both to read the rest", func() bool { return g.distinct() == 800 })
	if g.count(two) == 0 {
		t.Error("the second member read nothing after the rebalance")
	}
	g.leave(one)
	if err := c.Produce(step(t), addr, topic, "none", Lines(800, 1200, 4)); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the second member to read what was the first's", func() bool { return g.distinct() == 1200 })
	g.leave(two)
	if sum := committed(t, a, g.to.Group); sum != 1200 {
		t.Errorf("committed %d of 1200", sum)
	}
	if err := c.Produce(step(t), addr, topic, "none", Lines(1200, 1300, 4)); err != nil {
		t.Fatal(err)
	}
	three := g.join()
	Eventually(t, "a later member to read what is new", func() bool { return g.distinct() == 1300 })
	g.leave(three)
	if n := g.count(three); n != 100 {
		t.Errorf("a later member read %d records, want the 100 new ones", n)
	}
	if !c.Repeats {
		g.wantOnce()
	}
}

// first lets a group wait for a topic that does not exist yet.
func first(t *testing.T, addr string, c Client) {
	topic := Name("later")
	g, a := newCrew(t, c, addr, topic), admin(t, addr)
	one := g.join()
	Eventually(t, "the member to be in its group", func() bool { return len(shares(t, a, g.to.Group)) == 1 })
	if err := c.Produce(step(t), addr, topic, "none", Lines(0, 100, 1)); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the member to read all", func() bool { return g.distinct() == 100 })
	g.leave(one)
	g.wantOnce()
}

// groups lets a group of two and a group of five read four partitions at once, and kills one of the five.
func groups(t *testing.T, addr string, c Client) {
	topic := Topic(t, addr, "groups", 4)
	two, five, a := newCrew(t, c, addr, topic), newCrew(t, c, addr, topic), admin(t, addr)
	for range 2 {
		two.join()
	}
	var members []*member
	for range 5 {
		members = append(members, five.join())
	}
	sorted := func(g *crew) []int {
		list := shares(t, a, g.to.Group)
		slices.Sort(list)
		return list
	}
	Eventually(t, "each of the two to have two partitions", func() bool { return slices.Equal(sorted(two), []int{2, 2}) })
	Eventually(t, "one of the five to have none", func() bool { return slices.Equal(sorted(five), []int{0, 1, 1, 1, 1}) })
	if err := c.Produce(step(t), addr, topic, "none", Lines(0, 1000, 4)); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "both groups to read all", func() bool { return two.distinct() == 1000 && five.distinct() == 1000 })
	two.wantOnce()
	five.wantOnce()
	idle := slices.IndexFunc(members, func(m *member) bool { return five.count(m) == 0 })
	if idle < 0 {
		t.Fatal("all of the five read something of four partitions")
	}
	members[(idle+1)%5].kill()
	Eventually(t, "the four that are left to share", func() bool { return slices.Equal(sorted(five), []int{1, 1, 1, 1}) })
	if err := c.Produce(step(t), addr, topic, "none", Lines(1000, 1400, 4)); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "both groups to read the rest", func() bool { return two.distinct() == 1400 && five.distinct() == 1400 })
	if five.count(members[idle]) == 0 {
		t.Error("the one that had nothing did not take over")
	}
	two.wantOnce()
}
