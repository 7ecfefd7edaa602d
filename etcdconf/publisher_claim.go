package etcdconf

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// claim takes the key: when nobody holds it, or when it is ours from before a restart.
func (p *Publisher) claim(ctx context.Context, lease clientv3.LeaseID, value []byte) error {
	var old holder
	err := p.c.call(ctx, "reading "+p.key, func(ctx context.Context, v3 *clientv3.Client) (err error) {
		old, err = p.holder(ctx, v3)
		return err
	})
	if err != nil {
		return err
	}
	if old.revision != 0 && old.instance != p.instance {
		return &TakenError{Key: p.key, Instance: old.instance}
	}
	trace, err := p.leaveTrace(ctx)
	if err != nil {
		return err
	}
	// Not the revision: an earlier process of this instance may write until the moment that it is told to end.
	unchanged := clientv3.Compare(clientv3.LeaseValue(p.key), "=", old.lease)
	if old.revision == 0 {
		unchanged = clientv3.Compare(clientv3.ModRevision(p.key), "=", 0)
	}
	return p.put(ctx, lease, value, unchanged, trace)
}

// write puts a new value while the key still hangs on our lease.
func (p *Publisher) write(ctx context.Context, lease clientv3.LeaseID, value []byte) error {
	return p.put(ctx, lease, value, clientv3.Compare(clientv3.LeaseValue(p.key), "=", lease))
}

func (p *Publisher) put(ctx context.Context, lease clientv3.LeaseID, value []byte, when clientv3.Cmp, also ...clientv3.Op) error {
	return p.c.call(ctx, "writing "+p.key, func(ctx context.Context, v3 *clientv3.Client) error {
		put := clientv3.OpPut(p.key, string(value), clientv3.WithLease(lease))
		resp, err := v3.Txn(ctx).If(when).Then(append(also, put)...).Commit()
		if err != nil || resp.Succeeded {
			return err
		}
		now, err := p.holder(ctx, v3)
		switch {
		case err != nil:
			return err
		case now.revision == 0:
			return errors.New("the lease ran out")
		case now.lease == lease: // our own write, whose answer got lost
			return nil
		}
		return &TakenError{Key: p.key, Instance: now.instance, Same: now.instance == p.instance}
	})
}

// holder is who publishes under the key now.
type holder struct {
	instance string
	revision int64 // 0: nobody
	lease    clientv3.LeaseID
}

func (p *Publisher) holder(ctx context.Context, v3 *clientv3.Client) (holder, error) {
	resp, err := v3.Get(ctx, p.key)
	if err != nil || len(resp.Kvs) == 0 {
		return holder{}, err
	}
	kv := resp.Kvs[0]
	var who struct{ Instance string }
	_ = json.Unmarshal(kv.Value, &who) // what is no status has no instance, and so another one than ours
	return holder{instance: who.Instance, revision: kv.ModRevision, lease: clientv3.LeaseID(kv.Lease)}, nil
}

// release gives the lease back, and with it the key if it still hangs there. After a clean end there is nothing to
// miss either, so the trace goes too.
func (p *Publisher) release(ctx context.Context, lease clientv3.LeaseID) {
	clean := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	v3, err := p.c.v3()
	if err != nil {
		return
	}
	mine := clientv3.Compare(clientv3.LeaseValue(p.key), "=", lease)
	if clean {
		both := []clientv3.Op{clientv3.OpDelete(p.key), clientv3.OpDelete(traceKey(p.key))}
		if resp, err := v3.Txn(ctx).If(mine).Then(both...).Commit(); err == nil && resp.Succeeded {
			_, _ = v3.Revoke(ctx, p.trace)
		}
	}
	_, _ = v3.Revoke(ctx, lease) // failing that, leases run out by themselves
}

// A trace says that somebody published under a key within the last day, so that one whose lease ran out is missed.
const (
	tracePrefix = root + "seen/"
	traceLife   = 24 * time.Hour
)

// traceKey is "/loghaul/v1/seen/agents/<host>" for "/loghaul/v1/status/agents/<host>".
func traceKey(key string) string { return tracePrefix + strings.TrimPrefix(key, root+"status/") }

// leaveTrace renews the day and says what is to be put with the status.
func (p *Publisher) leaveTrace(ctx context.Context) (clientv3.Op, error) {
	err := p.c.call(ctx, "leaving a trace", func(ctx context.Context, v3 *clientv3.Client) error {
		if p.trace == 0 { // an earlier start's is gone on with, so that restarts do not pile up leases
			if resp, err := v3.Get(ctx, traceKey(p.key)); err == nil && len(resp.Kvs) > 0 {
				p.trace = clientv3.LeaseID(resp.Kvs[0].Lease)
			}
		}
		if p.trace != 0 {
			if _, err := v3.KeepAliveOnce(ctx, p.trace); err == nil {
				return nil
			}
		}
		resp, err := v3.Grant(ctx, int64(traceLife/time.Second))
		if err == nil {
			p.trace = resp.ID
		}
		return err
	})
	value, _ := json.Marshal(trace{Instance: p.instance, Seen: time.Now().UTC()})
	return clientv3.OpPut(traceKey(p.key), string(value), clientv3.WithLease(p.trace)), err
}

type trace struct {
	Instance string    `json:"instance"`
	Seen     time.Time `json:"seen"`
}
