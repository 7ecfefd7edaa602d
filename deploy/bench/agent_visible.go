package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// visibleEvery is between two lines that are appended: 100 a second.
const visibleEvery = 10 * time.Millisecond

// visibleName is the leg of visible.
func visibleName(broker string) string { return "append to visible, " + broker }

// visible appends lines one by one, each with the time when it was written, and measures how long they take until a
// consumer that waits for them has them: for each agent, on each broker.
func visible(ctx context.Context, b *agentBench) (found []BrokerLeg, err error) {
	for _, m := range b.brokers {
		legs, err := b.on(ctx, m, func(s *server) (legs []BrokerLeg, err error) {
			for _, sh := range b.shippers {
				l, failed := b.visibleOf(ctx, s, sh)
				if failed != nil {
					err = errors.Join(err, fmt.Errorf("%s: %w", sh.name(), failed))
					continue
				}
				legs = append(legs, l)
			}
			return legs, err
		})
		found = append(found, legs...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (b *agentBench) visibleOf(ctx context.Context, s *server, sh shipper) (l BrokerLeg, err error) {
	j := job{addr: s.addr, topic: "bench-" + sh.name()}
	if err := createTopic(ctx, s.addr, j.topic, 1, nil); err != nil {
		return l, err
	}
	if j.dir, err = os.MkdirTemp(b.dir, "agent-"); err != nil {
		return l, err
	}
	defer os.RemoveAll(j.dir)
	j.file = filepath.Join(b.dir, "log", "visible-"+sh.name()+".log")
	f, err := os.Create(j.file)
	if err != nil {
		return l, err
	}
	defer func() {
		f.Close()
		os.Remove(j.file)
	}()
	b.Say("  %s into %s", sh.name(), s.name())
	pr, err := sh.start(ctx, j)
	if err != nil {
		return l, err
	}
	defer pr.kill()
	late, err := appendAndSee(ctx, f, s.addr, j.topic, b.Size.Visible)
	if err != nil {
		return l, fmt.Errorf("%w; %w", err, pr.failed("may know more"))
	}
	return BrokerLeg{Name: visibleName(s.name()), Server: sh.name(), P50MS: percentile(late, 0.5), P99MS: percentile(late, 0.99)}, nil
}

// appendAndSee appends lines to a file and answers how late each was in the topic, but for those of the first quarter and
// of the time until the first one came: an agent may need that long to begin.
func appendAndSee(ctx context.Context, f *os.File, addr, topic string, d time.Duration) (late []time.Duration, err error) {
	unseen := fmt.Errorf("not every line was in the topic %s after the last was due", unseenMost)
	ctx, cancel := context.WithTimeoutCause(ctx, d+unseenMost, unseen)
	defer cancel()
	whole := ctx
	group, ctx := errgroup.WithContext(ctx)
	begun := make(chan struct{}) // closed by the consumer when it has the first line
	last := make(chan int, 1)    // one send, by the writer: how many lines there are
	group.Go(func() error {
		n, err := appendLines(ctx, f, begun, d)
		last <- n
		return err
	})
	group.Go(func() (err error) {
		late, err = seeLines(ctx, addr, topic, begun, last)
		return err
	})
	if err := group.Wait(); err != nil {
		if context.Cause(whole) == unseen {
			return nil, unseen
		}
		return nil, err
	}
	late = late[len(late)/4:]
	if len(late) == 0 {
		return nil, errors.New("no line was seen")
	}
	return late, nil
}

// unseenMost is how long an agent may take to begin, and to bring what is left at the end.
const unseenMost = time.Minute

// appendLines writes a line now, and one each time until d after the first is seen; each begins with the time of its
// writing. It answers how many.
func appendLines(ctx context.Context, f *os.File, begun <-chan struct{}, d time.Duration) (n int, err error) {
	filler := strings.Repeat("x", lineBytes-21)
	t := time.NewTicker(visibleEvery)
	defer t.Stop()
	write := func() error {
		n++
		_, err := fmt.Fprintf(f, "%d %s\n", time.Now().UnixNano(), filler)
		return err
	}
	if err := write(); err != nil {
		return n, err
	}
	select {
	case <-begun:
	case <-ctx.Done():
		return n, ctx.Err()
	}
	for end := time.Now().Add(d); ; {
		select {
		case <-t.C:
		case <-ctx.Done():
			return n, ctx.Err()
		}
		if err := write(); err != nil || !time.Now().Before(end) {
			return n, err
		}
	}
}

// seeLines waits at the end of partition 0 and gathers how late each line came, but for the first, until all have come.
func seeLines(ctx context.Context, addr, topic string, begun chan<- struct{}, last <-chan int) (late []time.Duration, err error) {
	conn, err := kafka.Config{ClientID: "loghaul-bench"}.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var reader record.Reader
	var next record.Offset
	all := -1
	for all < 0 || int(next) < all {
		batches, err := fetchOnce(ctx, conn, topic, next)
		if err != nil {
			return nil, fmt.Errorf("fetching %s from offset %d: %w", topic, next, err)
		}
		now := time.Now()
		for len(batches) >= record.HeaderSize {
			h, err := record.ParseHeader(batches)
			if err != nil || h.Size() > len(batches) {
				break // cut short at the end
			}
			if err := reader.Read(batches, 1<<20, func(r *record.Record) error {
				stamp, _, _ := strings.Cut(strings.TrimLeft(string(r.Value), `"`), " ") // the Collector sends what is text as JSON
				nano, err := strconv.ParseInt(stamp, 10, 64)
				if r.Offset == 0 {
					close(begun)
				} else {
					late = append(late, now.Sub(time.Unix(0, nano)))
				}
				return err
			}); err != nil {
				return nil, err
			}
			next, batches = h.NextOffset(), batches[h.Size():]
		}
		select {
		case all = <-last:
		default:
		}
	}
	return late, nil
}

// fetchOnce waits half a second at most for batches of partition 0.
func fetchOnce(ctx context.Context, conn *kafka.Conn, topic string, from record.Offset) ([]byte, error) {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 11, 500, 1, 1<<20
	req.SessionEpoch = -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = int64(from), 1<<20, -1
	req.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.(*kmsg.FetchResponse).Topics {
		for _, p := range t.Partitions {
			return p.RecordBatches, kerr.ErrorForCode(p.ErrorCode)
		}
	}
	return nil, errors.New("the broker answered for no partition")
}
