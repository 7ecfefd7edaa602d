package acl

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t *testing.T, cfg Config) *Authorizer {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	a, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func rule(name string, pattern Pattern, op Operation) Rule {
	return Rule{Topic, pattern, name, "User:alice", Wildcard, op, Allow}
}

func TestRulesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	want := []Rule{rule("web_log", Literal, Read), rule("web", Prefixed, All),
		{Cluster, Literal, ClusterName, "User:CN=a,O=b", "::1", IdempotentWrite, Deny}, {TransactionalID, Literal, "*", EveryUser, "10.0.0.1", TwoPhaseCommit, Allow},
		{User, Literal, "bob", "User:alice", "*", CreateTokens, Allow}, {DelegationToken, Prefixed, "t", "User:alice", "*", Describe, Allow}}
	a := open(t, Config{Dir: dir})
	if err := a.Add(append(want, want...)...); err != nil {
		t.Fatal(err)
	}
	sortRules(want)
	if got := open(t, Config{Dir: dir}).List(Filter{AnyResource, AnyPattern, nil, nil, nil, AnyOperation, AnyPermission}); !slices.Equal(got, want) {
		t.Errorf("after a restart: %+v", got)
	}
}

func TestABrokenFileIsNotTakenForNoRules(t *testing.T) {
	for _, content := range []string{"{", `{"version":2}`, `{"version":1,"rules":[{"resource":"topic","pattern":"literal","name":"x","principal":"User:a","host":"*","operation":"Raed","permission":"deny"}]}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, File)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestFiltersChooseAsKafkas(t *testing.T) {
	exact, prefix, all := rule("web_log", Literal, Read), rule("web", Prefixed, Read), rule("*", Literal, Read)
	name := "web_log"
	for pattern, want := range map[Pattern][]Rule{Literal: {exact}, Prefixed: nil, AnyPattern: {exact}, MatchPattern: {exact, prefix, all}} {
		f := Filter{Topic, pattern, &name, nil, nil, AnyOperation, AnyPermission}
		for _, r := range []Rule{exact, prefix, all} {
			if got := f.Chooses(r); got != slices.Contains(want, r) {
				t.Errorf("pattern type %d, rule %+v: %v", pattern, r, got)
			}
		}
	}
	bob, host := "User:bob", "10.0.0.1"
	for _, f := range []Filter{{Group, AnyPattern, nil, nil, nil, AnyOperation, AnyPermission}, {Topic, AnyPattern, nil, &bob, nil, AnyOperation, AnyPermission},
		{Topic, AnyPattern, nil, nil, &host, AnyOperation, AnyPermission}, {Topic, AnyPattern, nil, nil, nil, Write, AnyPermission}, {Topic, AnyPattern, nil, nil, nil, AnyOperation, Deny}} {
		if f.Chooses(exact) {
			t.Errorf("%+v chooses %+v", f, exact)
		}
	}
}

func TestRemovedRulesCountNoMore(t *testing.T) {
	dir := t.TempDir()
	a := open(t, Config{Dir: dir})
	if err := a.Add(rule("web_log", Literal, Read), rule("other", Literal, Read)); err != nil {
		t.Fatal(err)
	}
	if !a.Allows("User:alice", "::1", Read, Topic, "web_log") {
		t.Fatal("not allowed")
	}
	name := "web_log"
	removed, err := a.Remove(Filter{Topic, Literal, &name, nil, nil, AnyOperation, AnyPermission}, Filter{Group, AnyPattern, nil, nil, nil, AnyOperation, AnyPermission})
	if err != nil || len(removed[0]) != 1 || len(removed[1]) != 0 {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if a.Allows("User:alice", "::1", Read, Topic, "web_log") || !a.Allows("User:alice", "::1", Read, Topic, "other") {
		t.Error("the remaining rules are not those that count")
	}
	if open(t, Config{Dir: dir}).Allows("User:alice", "::1", Read, Topic, "web_log") {
		t.Error("after a restart the removed rule is back")
	}
}

func TestWhatIsNoRuleIsRefused(t *testing.T) {
	good := rule("web_log", Literal, Read)
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*Rule){
		"kind": func(r *Rule) { r.Kind = AnyResource }, "pattern": func(r *Rule) { r.Pattern = MatchPattern }, "name": func(r *Rule) { r.Name = "" },
		"cluster": func(r *Rule) { r.Kind, r.Name = Cluster, "x" }, "operation": func(r *Rule) { r.Operation = AnyOperation }, "unknown operation": func(r *Rule) { r.Operation = 16 },
		"permission": func(r *Rule) { r.Permission = AnyPermission }, "principal": func(r *Rule) { r.Principal = "alice" },
		"long": func(r *Rule) { r.Name = strings.Repeat("x", longestName+1) },
	} {
		bad := good
		if change(&bad); bad.Check() == nil {
			t.Errorf("%s: %+v was taken", what, bad)
		}
	}
}

func TestNumbersThatKafkaDoesNotKnow(t *testing.T) {
	for kind := range Resource(9) {
		for pattern := range Pattern(6) {
			for permission := range Permission(5) {
				for _, op := range []Operation{-1, 0, 1, 15, 16} {
					known := kind >= 1 && kind <= 7 && pattern >= 1 && pattern <= 4 && permission >= 1 && permission <= 3 && op >= 1 && op <= 15
					f := Filter{Kind: kind, Pattern: pattern, Permission: permission, Operation: op}
					if (f.Check() == nil) != known || f.Unknown() != (kind*Resource(pattern)*Resource(permission) == 0 || op == 0) {
						t.Errorf("%+v: unknown is %v, %v", f, f.Unknown(), f.Check())
					}
				}
			}
		}
	}
}

func TestAnAddressMayBeWrittenInAnyWay(t *testing.T) {
	a := open(t, Config{})
	r := rule("web_log", Literal, Read)
	r.Host = "0:0:0:0:0:0:0:1"
	if err := a.Add(r); err != nil {
		t.Fatal(err)
	}
	if !a.Allows("User:alice", "::1", Read, Topic, "web_log") || a.Allows("User:alice", "::2", Read, Topic, "web_log") {
		t.Error("the host of the rule is not the connection's")
	}
}

func TestDenialsAreLoggedButDoNotFlood(t *testing.T) {
	var log bytes.Buffer
	a := open(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 100 {
		a.Allows("User:eve", "10.0.0.1", Read, Topic, "secret")
	}
	if n := strings.Count(log.String(), "User:eve"); n != 1 {
		t.Errorf("one question asked often has %d lines", n)
	}
	for i := range 100 {
		a.Allows("User:eve", "10.0.0.1", Read, Topic, strings.Repeat("x", i))
		a.Shows("User:list", "10.0.0.1", Read, Topic, strings.Repeat("x", i))
	}
	if n := strings.Count(log.String(), "User:eve"); n > denialLines || strings.Contains(log.String(), "User:list") {
		t.Errorf("a hundred questions have %d lines:\n%s", n, log.String())
	}
}

func TestSuperUsersAreReadAsKafkaWritesThem(t *testing.T) {
	got := ParseSuperUsers(" User:admin;User:CN=a,OU=b ; ")
	if !slices.Equal(got, []string{"User:admin", "User:CN=a,OU=b"}) {
		t.Errorf("got %q", got)
	}
	if _, err := Open(Config{Dir: t.TempDir(), SuperUsers: []string{"admin"}}); err == nil {
		t.Error("a super user without a type was taken")
	}
}
