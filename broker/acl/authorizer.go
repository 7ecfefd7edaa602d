package acl

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

// Config is what an Authorizer needs to know.
type Config struct {
	// Dir is the folder of the rules' file.
	Dir string
	// SuperUsers may do everything (super.users).
	SuperUsers []string
	// AllowIfNone allows what no rule at all is about (allow.everyone.if.no.acl.found).
	AllowIfNone bool
	// Disk is where the file lives; nil: the real disk.
	Disk disk.FS
	// Logger takes what was denied; nil discards.
	Logger *slog.Logger
}

// Authorizer decides by rules. It is safe for concurrent use.
type Authorizer struct {
	cfg   Config
	super map[string]bool
	rules atomic.Pointer[ruleset]

	change  sync.Mutex // held while rules are added or removed
	denials struct {   // the lines about them
		sync.Mutex
		began time.Time
		lines int
	}
}

// Open reads the rules.
func Open(cfg Config) (*Authorizer, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Disk = disk.Or(cfg.Disk)
	a := &Authorizer{cfg: cfg, super: map[string]bool{}}
	for _, s := range cfg.SuperUsers {
		if err := CheckPrincipal(s); err != nil {
			return nil, fmt.Errorf("super.users: %w", err)
		}
		a.super[s] = true
	}
	rules, err := load(cfg.Disk, cfg.Dir)
	if err != nil {
		return nil, err
	}
	a.rules.Store(newRuleset(rules))
	return a, nil
}

// ask is one question.
type ask struct {
	principal, host string
	op              Operation
	kind            Resource
	name            string
}

// Allows says whether the principal may do op to the resource when it comes from host, and logs a denial now and then.
func (a *Authorizer) Allows(principal, host string, op Operation, kind Resource, name string) bool {
	allowed, fresh := a.decide(ask{principal, host, op, kind, name})
	if !allowed && fresh {
		a.log(principal, host, op, kind, name)
	}
	return allowed
}

// Shows is Allows for lists, from which what is denied is only left out: it logs nothing.
func (a *Authorizer) Shows(principal, host string, op Operation, kind Resource, name string) bool {
	allowed, _ := a.decide(ask{principal, host, op, kind, name})
	return allowed
}

// decide answers a question; fresh says that it was not asked lately.
func (a *Authorizer) decide(q ask) (allowed, fresh bool) {
	if a.super[q.principal] {
		return true, false
	}
	rules := a.rules.Load()
	if allowed, known := rules.remembered(q); known {
		return allowed, false
	}
	allowed = rules.decide(q, a.cfg.AllowIfNone)
	return allowed, rules.remember(q, allowed)
}

// A client can cause denials at will, so there are at most so many lines about them in a while.
const (
	denialLines = 10
	denialTime  = 10 * time.Second
)

// log says what was denied, unless there was much of it lately.
func (a *Authorizer) log(principal, host string, op Operation, kind Resource, name string) {
	a.denials.Lock()
	defer a.denials.Unlock()
	if now := time.Now(); now.Sub(a.denials.began) > denialTime {
		a.denials.began, a.denials.lines = now, 0
	}
	if a.denials.lines++; a.denials.lines <= denialLines {
		name = name[:min(len(name), longestRemembered)] // it may have megabytes
		a.cfg.Logger.Info("denied by access control", "principal", principal, "host", host, "operation", op.String(), "resource", kind.String(), "name", name)
	}
}

// AllowsAny says whether there may be any resource of that kind to which the principal may do op, whatever its name.
func (a *Authorizer) AllowsAny(principal, host string, op Operation, kind Resource) bool {
	if a.super[principal] {
		return true
	}
	return a.rules.Load().decideAny(ask{principal, host, op, kind, ""}, a.cfg.AllowIfNone)
}

// List is all rules that the filter chooses, in the order of their resources.
func (a *Authorizer) List(f Filter) []Rule {
	var chosen []Rule
	for _, r := range a.rules.Load().all {
		if f.Chooses(r) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// mostRules bounds the file and the memory.
const mostRules = 100_000

// ErrTooMany says that there is no room for more rules.
var ErrTooMany = errors.New("there are too many rules of access control: at most 100000 are kept")

// Add adds rules, durably; one that is there already stays once.
func (a *Authorizer) Add(rules ...Rule) error {
	a.change.Lock()
	defer a.change.Unlock()
	all := slices.Concat(a.rules.Load().all, rules)
	sortRules(all)
	if all = slices.Compact(all); len(all) > mostRules {
		return ErrTooMany
	}
	return a.put(all)
}

// Remove removes the rules that the filters choose, durably, and returns those of each filter. A rule that two filters
// choose is with both.
func (a *Authorizer) Remove(filters ...Filter) ([][]Rule, error) {
	a.change.Lock()
	defer a.change.Unlock()
	removed := make([][]Rule, len(filters))
	var kept []Rule
	for _, r := range a.rules.Load().all {
		keep := true
		for i, f := range filters {
			if f.Chooses(r) {
				removed[i], keep = append(removed[i], r), false
			}
		}
		if keep {
			kept = append(kept, r)
		}
	}
	if len(kept) == len(a.rules.Load().all) {
		return removed, nil
	}
	return removed, a.put(kept)
}

// put makes rules those that count: first on the disk, then here.
func (a *Authorizer) put(all []Rule) error {
	if err := save(a.cfg.Disk, a.cfg.Dir, all); err != nil {
		return err
	}
	a.rules.Store(newRuleset(all))
	return nil
}

// ParseSuperUsers reads the value of super.users: principals with semicolons between them.
func ParseSuperUsers(value string) []string {
	var list []string
	for s := range strings.SplitSeq(value, ";") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}
