package assign

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func topic(n int) TopicID { return TopicID{0: byte(n >> 8), 1: byte(n)} }

// ask makes members of the numbered topics.
func ask(subscriptions ...[]int) []Member {
	var list []Member
	for i, topics := range subscriptions {
		m := Member{ID: fmt.Sprintf("m%03d", i), Topics: map[TopicID]bool{}, Owned: Set{}}
		for _, t := range topics {
			m.Topics[topic(t)] = true
		}
		list = append(list, m)
	}
	return list
}

// check holds an answer against what every assigner promises.
func check(t *testing.T, members []Member, partitions map[TopicID]int32, got []Set) {
	t.Helper()
	owner := map[Slot]int{}
	for i, set := range got {
		for slot := range set {
			if !members[i].Topics[slot.Topic] || slot.Partition < 0 || slot.Partition >= partitions[slot.Topic] {
				t.Errorf("%s got %v, which it does not subscribe to or is not there", members[i].ID, slot)
			}
			if other, ok := owner[slot]; ok {
				t.Errorf("%v belongs to %s and %s", slot, members[other].ID, members[i].ID)
			}
			owner[slot] = i
		}
	}
	for id, n := range partitions {
		wanted := false
		for _, m := range members {
			wanted = wanted || m.Topics[id]
		}
		for p := range n {
			if _, ok := owner[Slot{id, p}]; ok != wanted {
				t.Errorf("partition %d of %x: assigned %t, subscribed %t", p, id[:2], ok, wanted)
			}
		}
	}
}

func TestRangeKeepsPartitionsOfOneNumberTogether(t *testing.T) {
	members := ask([]int{1, 2}, []int{1, 2}, []int{1, 2})
	partitions := map[TopicID]int32{topic(1): 7, topic(2): 7}
	got := Range(members, partitions)
	check(t, members, partitions, got)
	for i, want := range [][]int32{{0, 1, 2}, {3, 4}, {5, 6}} {
		if len(got[i]) != 2*len(want) {
			t.Errorf("member %d has %d partitions, want %d of each topic", i, len(got[i]), len(want))
		}
		for _, p := range want {
			_, one := got[i][Slot{topic(1), p}]
			_, two := got[i][Slot{topic(2), p}]
			if !one || !two {
				t.Errorf("member %d lacks partition %d of one of the topics", i, p)
			}
		}
	}
}

func TestRangeGoesByLastingNamesFirst(t *testing.T) {
	members := ask([]int{1}, []int{1})
	members[0].ID, members[1].ID, members[1].Instance = "a", "z", "i"
	got := Range(members, map[TopicID]int32{topic(1): 2})
	if _, ok := got[1][Slot{topic(1), 0}]; !ok {
		t.Errorf("the member with a lasting name does not come first: %v", got)
	}
}

func TestUniformIsEqualAndMovesFew(t *testing.T) {
	all := []int{1, 2}
	partitions := map[TopicID]int32{topic(1): 6, topic(2): 5}
	members := ask(all, all)
	first := Uniform(members, partitions)
	check(t, members, partitions, first)
	if d := len(first[0]) - len(first[1]); d < -1 || d > 1 {
		t.Errorf("shares of %d and %d", len(first[0]), len(first[1]))
	}
	third := ask(all, all, all)
	third[0].Owned, third[1].Owned = first[0], first[1]
	second := Uniform(third, partitions)
	check(t, third, partitions, second)
	for i := range 2 {
		for slot := range second[i] {
			if _, had := first[i][slot]; !had {
				t.Errorf("member %d was given %v, though it only had to give", i, slot)
			}
		}
	}
	for i := range second {
		if n := len(second[i]); n != 3 && n != 4 {
			t.Errorf("member %d has %d", i, n)
		}
	}
}

func TestUniformWithUnlikeSubscriptions(t *testing.T) {
	members := ask([]int{1}, []int{1, 2}, []int{1, 2, 3})
	partitions := map[TopicID]int32{topic(1): 4, topic(2): 4, topic(3): 1, topic(9): 3}
	got := Uniform(members, partitions)
	check(t, members, partitions, got)
	for i := range got {
		if len(got[i]) != 3 {
			t.Errorf("member %d has %d partitions, want 3", i, len(got[i]))
		}
	}
}

// TestRandomQuestions asks both assigners again and again, as members come, go and change their minds.
func TestRandomQuestions(t *testing.T) {
	for name, f := range ByName {
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 1))
			partitions := map[TopicID]int32{}
			for i := range rng.IntN(6) {
				partitions[topic(i)] = int32(rng.IntN(9))
			}
			owned := map[string]Set{}
			for range 8 {
				var subscriptions [][]int
				alike := rng.IntN(2) == 0
				for range rng.IntN(7) {
					var topics []int
					for i := range 7 {
						if alike && i < 4 || !alike && rng.IntN(2) == 0 {
							topics = append(topics, i)
						}
					}
					subscriptions = append(subscriptions, topics)
				}
				members := ask(subscriptions...)
				for i := range members {
					members[i].Owned = owned[members[i].ID]
				}
				got := f(members, partitions)
				check(t, members, partitions, got)
				if again := f(members, partitions); !reflect.DeepEqual(got, again) {
					t.Fatalf("%s, seed %d: two answers to one question", name, seed)
				}
				if name == "uniform" {
					checkLevel(t, members, got)
				}
				clear(owned)
				for i := range members {
					owned[members[i].ID] = got[i]
					members[i].Owned = got[i]
				}
				if settled := f(members, partitions); !reflect.DeepEqual(got, settled) {
					t.Fatalf("%s, seed %d: an assignment that holds was changed", name, seed)
				}
				for id := range maps.Keys(partitions) {
					if rng.IntN(4) == 0 {
						partitions[id]++
					}
				}
			}
		}
	}
}

// checkLevel holds that no single move would make it more equal.
func checkLevel(t *testing.T, members []Member, got []Set) {
	t.Helper()
	for i, from := range got {
		for slot := range from {
			for k, to := range got {
				if members[k].Topics[slot.Topic] && len(from) >= len(to)+2 {
					t.Fatalf("%s has %d, %s could take one and has %d", members[i].ID, len(from), members[k].ID, len(to))
				}
			}
		}
	}
}

func BenchmarkUniformThousandMembers(b *testing.B) {
	subscriptions := make([][]int, 1000)
	for i := range subscriptions {
		subscriptions[i] = []int{1, 2, 3, 4}
	}
	partitions := map[TopicID]int32{topic(1): 500, topic(2): 500, topic(3): 500, topic(4): 500}
	members := ask(subscriptions...)
	for i, set := range Uniform(members, partitions) {
		members[i].Owned = set
	}
	for b.Loop() {
		Uniform(members, partitions)
	}
}

// TestTwentyThousandTopics lets another member join a hundred that read very many topics: the group waits for the answer.
func TestTwentyThousandTopics(t *testing.T) {
	partitions, wanted := map[TopicID]int32{}, map[TopicID]bool{}
	for i := range 20_000 {
		partitions[topic(i)], wanted[topic(i)] = 1, true
	}
	for name, f := range ByName {
		members := ask(make([][]int, 101)...)
		for i := range members {
			members[i].Topics = wanted
		}
		before := time.Now()
		first := f(members[:100], partitions)
		for i := range first {
			members[i].Owned = first[i]
		}
		got := f(members, partitions)
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("%s took %s, want a fraction of a second", name, took)
		}
		if n := len(got[100]); name == "uniform" && n != 198 {
			t.Errorf("the one who came got %d partitions, want 198", n)
		}
	}
}
