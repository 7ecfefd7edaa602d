package etcdconf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Inputs is the source of all inputs in etcd, and of the tutorial lists of host and of each of its addresses:
// the value of /logagent/<host>/collect_config is named "collect_config/<host>". Which inputs are meant for a
// host is for Input.Selects to say.
func (c *Client) Inputs(host string, addrs []string) Source {
	s := &etcdSource{c: c, places: []place{{key: KindInput.Prefix(), prefix: true}}}
	for _, h := range append([]string{host}, addrs...) {
		if p := (place{key: tutorialKey(h)}); h != "" && !slices.Contains(s.places, p) {
			s.places = append(s.places, p)
		}
	}
	return s
}

// Sinks is the source of all sinks in etcd.
func (c *Client) Sinks() Source {
	return &etcdSource{c: c, places: []place{{key: KindSink.Prefix(), prefix: true}}}
}

// place is one key, or everything below one.
type place struct {
	key    string
	prefix bool
}

func (p place) options(more ...clientv3.OpOption) []clientv3.OpOption {
	if p.prefix {
		more = append(more, clientv3.WithPrefix())
	}
	return more
}

// etcdSource watches some places of etcd: get, then watch from the revision of the get; whatever goes wrong with
// the watch, it starts over with the get, so nothing that happened in between can be missed.
type etcdSource struct {
	c      *Client
	places []place
}

// whole is what lies in the places at one revision.
type whole struct {
	values   map[string]Value // by key
	revision int64            // of the get, whose next one the watches begin with; then the newest one seen
	cluster  uint64
	places   []place // those that could be read
}

// Watch starts over for as long as ctx lives. The first tries after a loss come at once, since a closed watch or a
// compaction says nothing bad about etcd; while etcd is away they come every few seconds, spread by chance so
// that a thousand agents do not knock together.
func (s *etcdSource) Watch(ctx context.Context, apply func(values []Value)) error {
	var last []Value
	applied, tries := false, 0
	changed := func(w whole) {
		tries = 0
		values := slices.Collect(maps.Values(w.values))
		sortValues(values)
		if !applied || !slices.EqualFunc(values, last, Value.same) {
			last, applied = values, true
			apply(slices.Clone(values))
		}
	}
	for ctx.Err() == nil {
		err := s.once(ctx, changed)
		if ctx.Err() != nil {
			break
		}
		if tries++; tries == 1 {
			s.c.cfg.Logger.Warn("reading configuration from etcd again", "because", err)
		} else if tries == 4 {
			s.c.cfg.Logger.Error("etcd is away; the configuration stays as it is", "because", err)
		}
		pause := min(50*time.Millisecond<<min(tries, 8), 5*time.Second)
		pause = pause/2 + rand.N(pause/2)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// once reads the whole and follows its changes; it returns only when the watch can be trusted no longer.
func (s *etcdSource) once(ctx context.Context, changed func(whole)) error {
	w, err := s.read(ctx)
	if err != nil {
		return err
	}
	changed(w)
	// A member that lost its leader would serve a silent watch: with RequireLeader it ends the watch instead.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	responses := make(chan clientv3.WatchResponse) // never closed: the forwarders end with ctx
	var forwarders sync.WaitGroup
	defer forwarders.Wait()
	defer cancel()
	v3, err := s.c.v3()
	if err != nil {
		return err
	}
	for _, p := range w.places {
		watch := v3.Watch(ctx, p.key, p.options(clientv3.WithRev(w.revision+1))...)
		forwarders.Go(func() { forward(ctx, watch, responses) })
	}
	doubt := time.NewTicker(s.c.sweep + rand.N(s.c.sweep/4))
	defer doubt.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-doubt.C:
			if err := s.doubt(ctx, w); err != nil {
				return err
			}
		case r := <-responses:
			if err := w.follow(r); err != nil {
				return err
			}
			changed(w)
		}
	}
}

var errWatchClosed = errors.New("the watch was closed")

// forward hands on what one watch says. A closed watch is handed on as a cancelled one.
func forward(ctx context.Context, watch clientv3.WatchChan, to chan<- clientv3.WatchResponse) {
	for {
		r, ok := <-watch // closed at the latest when ctx ends
		if !ok {
			r = clientv3.WatchResponse{Canceled: true}
		}
		select {
		case to <- r:
		case <-ctx.Done():
			return
		}
		if !ok {
			return
		}
	}
}

// read gets all places as they are at one revision.
func (s *etcdSource) read(ctx context.Context) (whole, error) {
	w := whole{values: map[string]Value{}}
	for _, p := range s.places {
		err := s.c.call(ctx, "reading "+p.key, func(ctx context.Context, v3 *clientv3.Client) error {
			resp, err := v3.Get(ctx, p.key, p.options(clientv3.WithRev(w.revision))...)
			if err != nil {
				return err
			}
			if w.revision == 0 {
				w.revision, w.cluster = resp.Header.Revision, resp.Header.ClusterId
			}
			for _, kv := range resp.Kvs {
				w.values[string(kv.Key)] = asValue(kv)
			}
			return nil
		})
		if denied(err) && !p.prefix {
			continue // a role for our own keys alone is a sensible one: the tutorial lists are then not for us
		}
		if err != nil {
			return w, err
		}
		w.places = append(w.places, p)
	}
	return w, nil
}

// follow takes one watch response over. Its events lie in different keys than those of the other watches, so
// the order between watches does not matter.
func (w *whole) follow(r clientv3.WatchResponse) error {
	if err := r.Err(); err != nil {
		return fmt.Errorf("watching: %w", err) // compacted, no leader, permission lost
	}
	if r.Canceled {
		return errWatchClosed
	}
	w.revision = max(w.revision, r.Header.Revision)
	for _, e := range r.Events {
		if e.Type == clientv3.EventTypeDelete {
			delete(w.values, string(e.Kv.Key))
			continue
		}
		w.values[string(e.Kv.Key)] = asValue(e.Kv)
	}
	return nil
}

// doubt asks whether etcd is still the one that is watched. After its data was lost or restored from a backup, a
// watch would wait in silence for a revision that is years away.
func (s *etcdSource) doubt(ctx context.Context, w whole) error {
	var count int64
	for _, p := range w.places {
		err := s.c.call(ctx, "looking after "+p.key, func(ctx context.Context, v3 *clientv3.Client) error {
			resp, err := v3.Get(ctx, p.key, p.options(clientv3.WithCountOnly())...)
			if err != nil {
				return err
			}
			if resp.Header.ClusterId != w.cluster || resp.Header.Revision < w.revision {
				return errors.New("this is another etcd, or it was restored from a backup")
			}
			count += resp.Count
			return nil
		})
		if err != nil {
			return err
		}
	}
	if count != int64(len(w.values)) { // or a change is on its way to us: starting over does no harm
		return errors.New("the number of values differs from what the watch said")
	}
	return nil
}
