package quota

import (
	"math"
	"strings"
	"time"
)

// metered is who shares one quota: everybody with the same user and client, as far as the quota names them.
type metered struct {
	key              Key
	user, client, ip string
}

// Charge notes that a client moved n bytes and says for how long it must be left alone, so that it stays within its
// quota; 0 when it has none or keeps it. user is the name of its principal, without a "User:".
func (q *Quotas) Charge(user, client string, key Key, n int, now time.Time) time.Duration {
	limit, who := q.limit(user, client, key)
	if limit == 0 {
		return 0
	}
	return q.charge(who, limit, float64(n), now)
}

// longestName is how many bytes of a client's name tell it from others that no quota names: a meter is kept for each, and a
// name may have 32 KB.
const longestName = 128

// Connect notes a connection from an address and says how long it must wait before it is served; 0 when it need not.
func (q *Quotas) Connect(ip string, now time.Time) time.Duration {
	for _, p := range []Part{Named(ip), Default} {
		if limit, ok := (*q.rules.Load())[Entity{IP: p}][Connections]; ok {
			return q.charge(metered{key: Connections, ip: ip}, max(limit, 1e-3), 1, now)
		}
	}
	return 0
}

// places are where a quota is looked for, in Kafka's order.
var places = []struct{ userSet, userNamed, clientSet, clientNamed bool }{
	{true, true, true, true}, {true, true, true, false}, {true, true, false, false},
	{true, false, true, true}, {true, false, true, false}, {true, false, false, false},
	{false, false, true, true}, {false, false, true, false},
}

// limit finds the quota of a client, 0 when it has none, and who shares it.
func (q *Quotas) limit(user, client string, key Key) (float64, metered) {
	rules := *q.rules.Load()
	if len(rules) == 0 {
		return 0, metered{}
	}
	user = strings.TrimPrefix(user, "User:")
	for _, p := range places {
		if p.userNamed && user == "" || p.clientNamed && client == "" {
			continue // nobody has an empty name
		}
		e := Entity{User: Part{Set: p.userSet}, Client: Part{Set: p.clientSet}}
		if p.userNamed {
			e.User.Name = user
		}
		if p.clientNamed {
			e.Client.Name = client
		}
		limit, ok := rules[e][key]
		if !ok {
			continue
		}
		who := metered{key: key}
		if p.userSet {
			who.user = user
		}
		if p.clientNamed {
			who.client = client
		} else if p.clientSet {
			who.client = strings.Clone(client[:min(len(client), longestName)])
		}
		return limit, who
	}
	return 0, metered{}
}

// charge takes n from a client's credit and says how long it takes until it is paid. The credit fills with the limit's
// rate, up to what may be moved in all windows but the current one: so a client that was silent may move as much at
// once as with Kafka's sliding windows, and in the long run nobody moves more than the limit.
func (q *Quotas) charge(who metered, limit, n float64, now time.Time) time.Duration {
	most := limit * (q.cfg.Window * time.Duration(max(q.cfg.Windows-1, 1))).Seconds()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweepLocked(now)
	m := q.mu.meters[who]
	if m == nil {
		m = &meter{credit: most, at: now}
		q.mu.meters[who] = m
	}
	m.credit = min(m.credit+limit*now.Sub(m.at).Seconds(), most) - n
	m.at = now
	if m.credit >= 0 {
		return 0
	}
	wait := time.Duration(min(-m.credit/limit, math.MaxInt32/1e3) * float64(time.Second)) // no longer than the protocol can say
	m.paid = now.Add(wait)
	return wait
}

// maxMeters is how many clients are metered at a time, about 15 MB; more at once begin anew together.
const maxMeters = 50_000

// sweepLocked forgets clients that moved nothing of late and owe nothing, so that those who call themselves anew each
// time cost nothing.
func (q *Quotas) sweepLocked(now time.Time) {
	if len(q.mu.meters) >= maxMeters {
		clear(q.mu.meters)
	}
	if now.Sub(q.mu.swept) < q.cfg.Idle {
		return
	}
	q.mu.swept = now
	for who, m := range q.mu.meters {
		if now.Sub(m.at) > q.cfg.Idle && now.After(m.paid) {
			delete(q.mu.meters, who)
		}
	}
}

// meter is what one client may move at once.
type meter struct {
	credit float64   // below 0: it moved too much
	at     time.Time // when that was so
	paid   time.Time // when what it moved too much is paid
}
