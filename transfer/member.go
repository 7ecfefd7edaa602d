package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// member is the route's life in its group: client after client, session after session.
func (r *route) member(ctx, hard context.Context) {
	wait := firstRouteWait
	for ctx.Err() == nil {
		began := time.Now()
		err := r.join(ctx, hard)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			r.failing(err)
		}
		if time.Since(began) > lastRouteWait {
			wait = firstRouteWait
		}
		if !sleep(ctx, wait) {
			break
		}
		wait = min(2*wait, lastRouteWait)
	}
	r.leave(hard)
}

// join makes a client and a group member and runs sessions until something fails.
func (r *route) join(ctx, hard context.Context) error {
	found, err := r.waitForTopics(ctx)
	if err != nil {
		return err
	}
	if err := r.firstApplied(ctx, found); err != nil {
		return err
	}
	cfg, err := groupConfig(r.env.cluster, r.env.instance())
	if err != nil {
		return err
	}
	client, err := sarama.NewClient(r.env.cluster.brokers(), cfg)
	if err != nil {
		return fmt.Errorf("no broker at %v answers: %w", r.env.cluster.brokers(), err)
	}
	defer client.Close()
	// A join may wait long for other members: closing the client ends it. A session that drains is done before.
	defer context.AfterFunc(hard, func() { client.Close() })()
	group, err := sarama.NewConsumerGroupFromClient(r.value.Group, holdClaims{client})
	if err != nil {
		return fmt.Errorf("joining group %s: %w", r.value.Group, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.listen(group.Errors()) })
	err = r.sessions(ctx, hard, group, client)
	err = errors.Join(err, ignoreClosed(group.Close()))
	wg.Wait()
	return err
}

// sessions joins again and again, until ctx ends or joining fails.
func (r *route) sessions(ctx, hard context.Context, group sarama.ConsumerGroup, client sarama.Client) error {
	for ctx.Err() == nil {
		found, err := r.waitForTopics(ctx)
		if err != nil {
			return err
		}
		s := &session{route: r, topics: found, hard: hard}
		life, end := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { r.watchTopics(life, found, end) })
		stop := r.abandonJoin(life, s, client)
		err = s.consume(life, group)
		stop()
		end()
		wg.Wait()
		if err != nil {
			return fmt.Errorf("as a member of group %s: %w", r.value.Group, err)
		}
		if client.Closed() {
			return nil
		}
	}
	return nil
}

// abandonJoin closes the client when a session is not wanted any more before it began: sarama would wait for the other
// members, and a shutdown with it.
func (r *route) abandonJoin(life context.Context, s *session, client sarama.Client) (stop func() bool) {
	return context.AfterFunc(life, func() {
		if !s.began() {
			client.Close()
		}
	})
}

// listen notes the errors of a group until it is closed.
func (r *route) listen(errs <-chan error) {
	for err := range errs {
		r.log.Warn("the group", "group", r.value.Group, "error", err)
	}
}

// leave takes a static member out of its group at a clean end. A dynamic one has left with group.Close.
func (r *route) leave(hard context.Context) {
	r.mu.Lock()
	who := r.mu.who
	r.mu.Unlock()
	if who.instance == "" || who.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(hard, time.Second)
	defer cancel()
	if err := r.coord.leave(ctx, who); err != nil {
		r.log.Info("leaving the group", "group", r.value.Group, "error", err)
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, sarama.ErrClosedClient) {
		return nil
	}
	return err
}
