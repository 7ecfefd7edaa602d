package acl

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	someNames      = []string{"web", "web_log", "web_log2", "other", "*", "hardcode"}
	somePrincipals = []string{"User:alice", "User:bob", EveryUser}
	someHosts      = []string{"10.0.0.1", "10.0.0.2", Wildcard}
)

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }

func randomRule(rnd *rand.Rand) Rule {
	kind := pick(rnd, []Resource{Topic, Group})
	r := Rule{kind, pick(rnd, []Pattern{Literal, Prefixed}), pick(rnd, someNames), pick(rnd, somePrincipals), pick(rnd, someHosts),
		pick(rnd, []Operation{All, Read, Write, Delete, Alter, Describe, DescribeConfigs, AlterConfigs}), Allow}
	if rnd.IntN(4) == 0 {
		r.Permission = Deny
	}
	return r
}

// model says the same as the authorizer, by going through all rules one by one.
func model(rules []Rule, q ask, none bool) bool {
	found, allow := false, false
	implied := map[Operation]string{Describe: "Read Write Delete Alter", DescribeConfigs: "AlterConfigs"}
	for _, r := range rules {
		fits := r.Kind == q.kind && (r.Pattern == Literal && (r.Name == q.name || r.Name == "*") || r.Pattern == Prefixed && strings.HasPrefix(q.name, r.Name))
		found = found || fits
		if !fits || r.Principal != q.principal && r.Principal != "User:*" || r.Host != q.host && r.Host != "*" {
			continue
		}
		same := r.Operation == q.op || r.Operation == All
		if same && r.Permission == Deny {
			return false
		}
		allow = allow || r.Permission == Allow && (same || strings.Contains(" "+implied[q.op]+" ", " "+r.Operation.String()+" "))
	}
	return allow || !found && none
}

func TestTheAuthorizerSaysWhatTheModelSays(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	said := map[bool]int{}
	for range 300 {
		none := rnd.IntN(2) == 0
		a, err := Open(Config{Dir: t.TempDir(), AllowIfNone: none, SuperUsers: []string{"User:root"}})
		if err != nil {
			t.Fatal(err)
		}
		var rules []Rule
		for range rnd.IntN(12) {
			rules = append(rules, randomRule(rnd))
		}
		if err := a.Add(rules...); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			q := ask{pick(rnd, somePrincipals[:2]), pick(rnd, someHosts[:2]), pick(rnd, []Operation{Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs}),
				pick(rnd, []Resource{Topic, Group}), pick(rnd, someNames)}
			want := model(rules, q, none)
			said[want]++
			for range 2 { // the second time it is remembered
				if got := a.Allows(q.principal, q.host, q.op, q.kind, q.name); got != want {
					t.Fatalf("%+v with rules %+v: %v, want %v", q, rules, got, want)
				}
			}
			if !a.Allows("User:root", q.host, q.op, q.kind, q.name) {
				t.Fatal("a super user was denied")
			}
		}
	}
	if said[true] < 1000 || said[false] < 1000 {
		t.Errorf("the questions were too one-sided: %v", said)
	}
}

// anyModel asks for every name that could make a difference.
func anyModel(rules []Rule, q ask) bool {
	names := map[string]bool{"hardcode": true}
	for _, r := range rules {
		names[r.Name], names[r.Name+"\x00x"] = true, true
	}
	delete(names, "*") // no topic is called so
	for name := range names {
		var exact []Rule // implied operations do not count here
		for _, r := range rules {
			if r.Operation == q.op || r.Operation == All {
				exact = append(exact, r)
			}
		}
		if q.name = name; model(exact, q, false) {
			return true
		}
	}
	return false
}

func TestAllowedOnAnyNameOrOnNone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	said := map[bool]int{}
	for i := range 3000 {
		var rules []Rule
		for range rnd.IntN(6) {
			r := randomRule(rnd)
			if r.Name == "*" {
				r.Pattern = Literal
			}
			r.Kind, r.Operation = Topic, pick(rnd, []Operation{Write, All, Read})
			rules = append(rules, r)
		}
		q := ask{"User:alice", "10.0.0.1", Write, Topic, ""}
		want := anyModel(rules, q)
		said[want]++
		if got := newRuleset(rules).decideAny(q, false); got != want {
			t.Fatalf("round %d: rules %+v: %v, want %v", i, rules, got, want)
		}
	}
	if said[true] < 500 || said[false] < 500 {
		t.Errorf("the questions were too one-sided: %v", said)
	}
}

func TestDecisionsAreRememberedWithinBounds(t *testing.T) {
	a, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range mostRemembered + 10 {
		a.Allows("User:alice", "10.0.0.1", Read, Topic, fmt.Sprint(i))
	}
	if n := len(a.rules.Load().mu.known); n > mostRemembered || n == 0 {
		t.Errorf("%d decisions are remembered", n)
	}
	if n := testing.AllocsPerRun(100, func() { a.Allows("User:alice", "10.0.0.1", Read, Topic, "web_log") }); n > 0 {
		t.Errorf("a remembered decision allocates %v objects", n)
	}
}
