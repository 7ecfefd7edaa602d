package etcdconf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TakenError says that another living instance publishes under the key: one host name, one agent.
type TakenError struct {
	Key      string
	Instance string // the one that lives
	Same     bool   // it is a later start of this very instance, or of a copy of its data folder
}

// Error names the other instance and the mend.
func (e *TakenError) Error() string {
	if e.Same {
		return fmt.Sprintf("%s: another process with this instance id (%s) took over: stop one of the two; a copied data folder must not be used twice", e.Key, e.Instance)
	}
	return fmt.Sprintf("%s is held by another living instance, %s: stop that one (its lease then ends within 10 s), or start this one under another name", e.Key, e.Instance)
}

// Publisher keeps a status in etcd for as long as its process lives, and not much longer: the key hangs on a lease.
type Publisher struct {
	c        *Client
	key      string
	instance string
	every    time.Duration // shortest time between two writes
	trace    clientv3.LeaseID
}

// Publisher publishes under key, which is AgentKey or TransferKey. instance tells this one from any other that wants
// the key, also across restarts; "" takes it from the field "instance" of the first snapshot.
func (c *Client) Publisher(key, instance string) *Publisher {
	return &Publisher{c: c, key: key, instance: instance, every: time.Second}
}

// Run publishes what snapshot returns, as JSON, at most once a second and only when it changed. snapshot is called
// from one goroutine; what it returns must have the field "instance", and is cut down if it has a method Bounded.
// The lease is 10 s; after a loss a new one is taken. Run returns nil after ctx ended and the key was removed, or
// *TakenError when another instance holds the key; an etcd that is away is waited out.
func (p *Publisher) Run(ctx context.Context, snapshot func() any) error {
	for tries := 0; ; tries++ {
		held, err := p.session(ctx, snapshot)
		var taken *TakenError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &taken):
			return taken
		case held:
			tries = 0
		}
		if tries == 0 || tries == 5 {
			p.c.cfg.Logger.Warn("the status is not in etcd", "key", p.key, "because", err)
		}
		pause := min(100*time.Millisecond<<min(tries, 6), 5*time.Second)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// session publishes under one lease, until the lease is lost or ctx ends. held says that the key was ours.
func (p *Publisher) session(ctx context.Context, snapshot func() any) (held bool, err error) {
	v3, err := p.c.v3()
	if err != nil {
		return false, err
	}
	var lease clientv3.LeaseID
	err = p.c.call(ctx, "taking a lease", func(ctx context.Context, v3 *clientv3.Client) error {
		resp, err := v3.Grant(ctx, int64(p.c.lease/time.Second))
		if err == nil {
			lease = resp.ID
		}
		return err
	})
	if err != nil {
		return false, err
	}
	defer p.release(ctx, lease)
	beat, cancel := context.WithCancel(ctx)
	defer cancel()
	alive, err := v3.KeepAlive(beat, lease)
	if err != nil {
		return false, fmt.Errorf("keeping the lease: %w", err)
	}
	last, err := p.encode(snapshot)
	if err == nil {
		err = p.claim(ctx, lease, last)
	}
	if err != nil {
		return false, err
	}
	return true, p.hold(ctx, lease, alive, snapshot, last)
}

// hold writes the changes until the lease is lost or ctx ends.
func (p *Publisher) hold(ctx context.Context, lease clientv3.LeaseID, alive <-chan *clientv3.LeaseKeepAliveResponse, snapshot func() any, last []byte) error {
	tick, hour := time.NewTicker(p.every), time.NewTicker(time.Hour)
	defer tick.Stop()
	defer hour.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-alive:
			if !ok {
				return errors.New("the lease was lost")
			}
		case <-hour.C:
			if _, err := p.leaveTrace(ctx); err != nil && !errors.Is(err, ErrAway) {
				return err
			}
		case <-tick.C:
			now, err := p.encode(snapshot)
			if err == nil && !bytes.Equal(now, last) {
				err = p.write(ctx, lease, now)
				last = now
			}
			if errors.Is(err, ErrAway) { // the lease may well outlive that, so it is written again at the next tick
				last, err = nil, nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// mostStatus bounds a status: etcd refuses requests above 1.5 MiB, and a thousand agents share its memory.
const mostStatus = 1 << 20

// encode makes the value of a snapshot, cut down until it fits.
func (p *Publisher) encode(snapshot func() any) ([]byte, error) {
	s := snapshot()
	if p.instance == "" {
		whole, _ := json.Marshal(s)
		var who struct{ Instance string }
		if json.Unmarshal(whole, &who); who.Instance == "" {
			return nil, fmt.Errorf("publishing %s: the status names no instance", p.key)
		}
		p.instance = who.Instance
	}
	b, bounds := s.(interface{ Bounded(rows int) any })
	for rows := 200; ; rows /= 2 {
		bounded := s
		if bounds {
			bounded = b.Bounded(rows)
		}
		value, err := json.Marshal(bounded)
		if err != nil {
			return nil, fmt.Errorf("publishing %s: %w", p.key, err)
		}
		if len(value) < mostStatus {
			return value, nil
		}
		if rows == 0 || !bounds {
			return nil, fmt.Errorf("publishing %s: %d bytes are too many", p.key, len(value))
		}
	}
}
