package clients

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// admin asks a broker what a story wants to know, whatever client the story is about.
func admin(t testing.TB, addr string) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

// Topic makes a topic of so many partitions with a name of its own.
func Topic(t testing.TB, addr, what string, partitions int32) string {
	t.Helper()
	name := Name(what)
	if _, err := admin(t, addr).CreateTopic(context.Background(), partitions, 1, nil, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// shares are how many partitions each member of a stable group has; nil while the group is not stable.
func shares(t testing.TB, a *kadm.Client, group string) []int {
	t.Helper()
	described, err := a.DescribeGroups(context.Background(), group)
	if err != nil {
		t.Fatal(err)
	}
	g := described[group]
	if g.Err != nil || g.State == "Dead" {
		return brokerSideShares(t, a, group)
	}
	if g.State != "Stable" {
		return nil
	}
	list := []int{}
	for _, m := range g.Members {
		n := 0
		if given, ok := m.Assigned.AsConsumer(); ok {
			n = partitionsOf(given)
		}
		list = append(list, n)
	}
	return list
}

// brokerSideShares are the shares in a group that the broker divides.
func brokerSideShares(t testing.TB, a *kadm.Client, group string) []int {
	t.Helper()
	described, err := a.DescribeConsumerGroups(context.Background(), group)
	if err != nil || described[group].State != "Stable" {
		return nil // of the other kind, or not there yet
	}
	list := []int{}
	for _, m := range described[group].Members {
		list = append(list, assigned(m.Assignment))
	}
	return list
}

func assigned(topics kadm.TopicsSet) (n int) {
	for _, partitions := range topics {
		n += len(partitions)
	}
	return n
}

func partitionsOf(given *kmsg.ConsumerMemberAssignment) (n int) {
	for _, t := range given.Topics {
		n += len(t.Partitions)
	}
	return n
}

// committed is the sum of what a group has committed.
func committed(t testing.TB, a *kadm.Client, group string) (sum int64) {
	t.Helper()
	offsets, err := a.FetchOffsets(context.Background(), group)
	if err != nil {
		t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	return sum
}
