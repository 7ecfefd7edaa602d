package etcdconf

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Agents reads the status of every agent, ordered by host: the living ones, and as StateLost those whose lease ran
// out within the last day without a clean end. A status that cannot be read shows as StateFailed.
func (c *Client) Agents(ctx context.Context) ([]AgentStatus, error) {
	return statuses(ctx, c, agentPrefix, func(host string, state State, value []byte) AgentStatus {
		s := AgentStatus{Inputs: []InputStatus{}, Streams: []StreamStatus{}}
		if json.Unmarshal(value, &s) != nil {
			state = StateFailed
		}
		s.Host, s.State = host, state
		return s
	})
}

// Transfers reads the status of every transfer, ordered by id, as Agents does.
func (c *Client) Transfers(ctx context.Context) ([]TransferStatus, error) {
	return statuses(ctx, c, transferPrefix, func(id string, state State, value []byte) TransferStatus {
		s := TransferStatus{Routes: []RouteStatus{}}
		if json.Unmarshal(value, &s) != nil {
			state = StateFailed
		}
		s.ID, s.State = id, state
		return s
	})
}

// statuses reads what lies under prefix, and the traces of those that are missing there.
func statuses[T any](ctx context.Context, c *Client, prefix string, make func(name string, state State, value []byte) T) ([]T, error) {
	found := map[string]T{}
	err := c.call(ctx, "reading the status", func(ctx context.Context, v3 *clientv3.Client) error {
		// Both in one transaction, or one that just starts or ends could look lost.
		resp, err := v3.Txn(ctx).Then(clientv3.OpGet(traceKey(prefix), clientv3.WithPrefix()), clientv3.OpGet(prefix, clientv3.WithPrefix())).Commit()
		if err != nil {
			return err
		}
		for i, state := range []State{StateLost, StateLive} {
			for _, kv := range resp.Responses[i].GetResponseRange().Kvs {
				key := string(kv.Key)
				name := key[strings.LastIndexByte(key, '/')+1:]
				if plain, err := url.PathUnescape(name); err == nil {
					name = plain
				}
				found[name] = make(name, state, kv.Value)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := []T{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	return all, nil
}
