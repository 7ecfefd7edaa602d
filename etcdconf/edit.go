package etcdconf

import (
	"context"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// List reads all values of a kind, ordered by name.
func (c *Client) List(ctx context.Context, kind Kind) ([]Value, error) {
	var values []Value
	err := c.call(ctx, "listing the "+string(kind), func(ctx context.Context, v3 *clientv3.Client) error {
		resp, err := v3.Get(ctx, kind.Prefix(), clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range resp.Kvs {
			values = append(values, asValue(kv))
		}
		return nil
	})
	sortValues(values)
	return values, err
}

// Get reads one value; the error wraps ErrNotFound when there is none of that name.
func (c *Client) Get(ctx context.Context, kind Kind, name string) (Value, error) {
	var v Value
	err := c.call(ctx, "reading the "+kind.Noun()+" "+name, func(ctx context.Context, v3 *clientv3.Client) error {
		resp, err := v3.Get(ctx, kind.Key(name))
		if err != nil {
			return err
		}
		if len(resp.Kvs) == 0 {
			return ErrNotFound
		}
		v = asValue(resp.Kvs[0])
		return nil
	})
	return v, err
}

// Put stores a value as it is, whatever was there, and returns the revision that wrote it. Whoever calls it has
// checked the value with ParseInput or ParseSink.
func (c *Client) Put(ctx context.Context, kind Kind, name string, data []byte) (Revision, error) {
	return c.put(ctx, kind, name, data, nil)
}

// PutIf stores a value only when the one there was written by revision was, 0 for none; the error wraps
// ErrConflict otherwise.
func (c *Client) PutIf(ctx context.Context, kind Kind, name string, data []byte, was Revision) (Revision, error) {
	return c.put(ctx, kind, name, data, []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(kind.Key(name)), "=", int64(was))})
}

func (c *Client) put(ctx context.Context, kind Kind, name string, data []byte, when []clientv3.Cmp) (Revision, error) {
	if err := CheckName(name); err != nil {
		return 0, err
	}
	var at Revision
	err := c.call(ctx, "storing the "+kind.Noun()+" "+name, func(ctx context.Context, v3 *clientv3.Client) error {
		resp, err := v3.Txn(ctx).If(when...).Then(clientv3.OpPut(kind.Key(name), string(data))).Commit()
		if err != nil {
			return err
		}
		if !resp.Succeeded {
			return fmt.Errorf("%s %w: look at it and try again", kind.Key(name), ErrConflict)
		}
		at = Revision(resp.Header.Revision)
		return nil
	})
	return at, err
}

// Delete removes a value and returns the revision that did; the error wraps ErrNotFound when there is none of
// that name.
func (c *Client) Delete(ctx context.Context, kind Kind, name string) (Revision, error) {
	var at Revision
	err := c.call(ctx, "removing the "+kind.Noun()+" "+name, func(ctx context.Context, v3 *clientv3.Client) error {
		resp, err := v3.Delete(ctx, kind.Key(name))
		if err != nil {
			return err
		}
		if resp.Deleted == 0 {
			return ErrNotFound
		}
		at = Revision(resp.Header.Revision)
		return nil
	})
	return at, err
}

// asValue names a value by the last part of its key, and a tutorial list by its host.
func asValue(kv *mvccpb.KeyValue) Value {
	key := string(kv.Key)
	v := Value{Name: key, Key: key, Revision: Revision(kv.ModRevision), Data: kv.Value}
	for _, kind := range []Kind{KindInput, KindSink} {
		if n := len(kind.Prefix()); len(key) > n && key[:n] == kind.Prefix() {
			v.Name = key[n:]
			return v
		}
	}
	v.Name = tutorialName(key)
	return v
}

// Tutorials reads the tutorial lists of all hosts, ordered by host; ParseInputs understands them.
func (c *Client) Tutorials(ctx context.Context) ([]Value, error) {
	var values []Value
	err := c.call(ctx, "listing "+tutorialRoot, func(ctx context.Context, v3 *clientv3.Client) error {
		resp, err := v3.Get(ctx, tutorialRoot, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range resp.Kvs {
			if strings.HasSuffix(string(kv.Key), tutorialLeaf) {
				values = append(values, asValue(kv))
			}
		}
		return nil
	})
	sortValues(values)
	return values, err
}
