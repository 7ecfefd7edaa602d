// Package quota says how much clients may move: Kafka's client quotas by user, client id and address, kept in a file,
// changed by Kafka's own admin requests, and charged as clients move bytes.
package quota

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

// Part is one part of whom a quota is for.
type Part struct {
	Set  bool   // the quota is for somebody of this kind
	Name string // empty: for all who have no quota of their own
}

// Default is the part of a quota for all who have none of their own.
var Default = Part{Set: true}

// Named is the part of a quota for one.
func Named(name string) Part { return Part{Set: true, Name: name} }

// Entity is whom a quota is for: a user, a client id, both, or an address.
type Entity struct{ User, Client, IP Part }

// Key names a quota, with Kafka's own words.
type Key string

// The quotas there are. Rates are of bytes a second, of percent of one thread (in Kafka's counting), of connections a
// second and of partitions made or deleted a second.
const (
	Produce     Key = "producer_byte_rate"
	Fetch       Key = "consumer_byte_rate"
	Request     Key = "request_percentage"
	Mutation    Key = "controller_mutation_rate"
	Connections Key = "connection_creation_rate"
)

// Config steers Quotas.
type Config struct {
	Path    string        // of the file
	Disk    disk.FS       // where it lives; nil: the real disk
	Window  time.Duration // rates are taken over Windows of this length; 0: 1 s
	Windows int           // the current one included; 0: 11
	Idle    time.Duration // a client that moved nothing for so long is forgotten; 0: 1 min
}

// Quotas are all quotas and what clients moved of late. It is safe for concurrent use.
type Quotas struct {
	cfg      Config
	changing sync.Mutex // one Alter at a time; taken before mu
	rules    atomic.Pointer[map[Entity]map[Key]float64]

	mu struct {
		sync.Mutex
		meters map[metered]*meter
		swept  time.Time // when idle meters were last looked for
	}
}

// Open reads the quotas of cfg.Path, none when there is no such file.
func Open(cfg Config) (*Quotas, error) {
	cfg.Disk = disk.Or(cfg.Disk)
	if cfg.Window <= 0 {
		cfg.Window = time.Second
	}
	if cfg.Windows <= 0 {
		cfg.Windows = 11
	}
	if cfg.Idle <= 0 {
		cfg.Idle = time.Minute
	}
	rules, err := read(cfg.Disk, cfg.Path)
	if err != nil {
		return nil, err
	}
	q := &Quotas{cfg: cfg}
	q.rules.Store(&rules)
	q.mu.meters = map[metered]*meter{}
	return q, nil
}

// Change is what Alter does to one quota.
type Change struct {
	Key    Key
	Value  float64
	Remove bool
}

// ErrInvalid says that a quota cannot be as asked.
var ErrInvalid = errors.New("invalid quota")

// Alter changes the quotas of one entity, durable and in force when it returns. With validate it only says whether it
// would refuse. What is refused is an ErrInvalid.
func (q *Quotas) Alter(e Entity, changes []Change, validate bool) error {
	if err := check(e, changes); err != nil {
		return err
	}
	if validate {
		return nil
	}
	q.changing.Lock()
	defer q.changing.Unlock()
	rules := map[Entity]map[Key]float64{}
	maps.Copy(rules, *q.rules.Load())
	own := maps.Clone(rules[e])
	if own == nil {
		own = map[Key]float64{}
	}
	for _, c := range changes {
		if c.Remove {
			delete(own, c.Key)
		} else {
			own[c.Key] = c.Value
		}
	}
	if rules[e] = own; len(own) == 0 {
		delete(rules, e)
	}
	if err := write(q.cfg.Disk, q.cfg.Path, rules); err != nil {
		return err
	}
	q.rules.Store(&rules)
	return nil
}

// Rule is one entity's quotas.
type Rule struct {
	Entity
	Values map[Key]float64
}

// List is every rule, in an order that stays.
func (q *Quotas) List() []Rule {
	var list []Rule
	for e, values := range *q.rules.Load() {
		list = append(list, Rule{e, values})
	}
	slices.SortFunc(list, func(a, b Rule) int { return strings.Compare(a.order(), b.order()) })
	return list
}

// order is a text by which entities are ordered.
func (e Entity) order() string {
	var b strings.Builder
	for _, p := range []Part{e.Client, e.IP, e.User} {
		if p.Set {
			b.WriteString("1" + p.Name + "\x00")
		} else {
			b.WriteString("2\x00")
		}
	}
	return b.String()
}
