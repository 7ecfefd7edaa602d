// Package broker is the front door of the bundled broker: it speaks the Kafka protocol on one node and acknowledges
// with acks=all what is on the disk.
package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/clock"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/loghaul/loghaul/internal/datadir"
	"github.com/loghaul/loghaul/internal/disk"
)

// Broker serves one data folder. Make it with New, then Run it once.
type Broker struct {
	cfg      Config
	settings *topics.Settings
	metrics  *metrics
	stage    stage
	clock    *clock.Clock                  // set by Run
	room     atomic.Pointer[diskroom.Room] // nil until the topics are open
	ready    chan struct{}
	closing  atomic.Bool // the logs are being closed
	addr     string      // set before ready is closed
	addrs    []string
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the broker: %w", err)
	}
	cfg = cfg.withDefaults()
	settings, err := topics.NewSettings(cfg.Settings)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registry, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("registering the broker's metrics: %w", err)
	}
	b := &Broker{cfg: cfg, settings: settings, metrics: m, ready: make(chan struct{})}
	if cfg.Registry != nil {
		if err := cfg.Registry.Register(newRoomMetrics(&b.room)); err != nil {
			return nil, fmt.Errorf("registering the disk's metrics: %w", err)
		}
	}
	return b, nil
}

// Ready is closed once the broker serves.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Closing says whether all requests are answered and the logs are being closed, which takes a while where there are
// thousands.
func (b *Broker) Closing() bool { return b.closing.Load() }

// Addr is the real address of the first listener, known once Ready is closed.
func (b *Broker) Addr() string {
	select {
	case <-b.ready:
		return b.addr
	default:
		return ""
	}
}

// Addrs are the real addresses of all listeners, NAME://ADDRESS, known once Ready is closed.
func (b *Broker) Addrs() []string {
	select {
	case <-b.ready:
		return b.addrs
	default:
		return nil
	}
}

// Run serves until ctx ends, then drains: it takes no more connections and requests, answers those in flight (10 s at
// most), and closes every log cleanly. It returns nil after that, else what went wrong.
func (b *Broker) Run(ctx context.Context) error {
	held, err := datadir.Hold(b.cfg.Data)
	if err != nil {
		return err
	}
	defer held.Close()
	b.stage.enter(phaseRecovering)
	defer b.stage.enter(phaseEnded)
	s, err := b.listen(ctx) // first, so that a busy port changes nothing on the disk; clients wait in the backlog
	if err != nil {
		return err
	}
	defer s.closeListeners()
	id, err := begin(b.cfg.Disk, b.cfg.Data, b.cfg.ClusterID, b.cfg.Logger)
	if err != nil {
		return err
	}
	syncers, release := b.syncerConfig()
	defer release()
	syncer := commitlog.NewSyncer(syncers)
	syncing, stopSyncing := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = syncer.Run(syncing) }) // never fails; ends when told to
	b.clock = clock.New(clock.Config{Dir: b.cfg.Data, Disk: b.cfg.Disk, Logger: b.cfg.Logger})
	began := time.Now()
	var found recovery
	t, err := topics.Open(topics.Config{Dir: b.cfg.Data, MostSegment: diskroom.MostSegment(b.cfg.DiskBudget), Now: b.clock.Now, Settings: b.settings, Syncer: syncer, LeaderEpoch: id.epoch, Logger: b.cfg.Logger, Cut: b.cut(&found), Deleted: b.metrics.deleted, Disk: b.cfg.Disk,
		Scrub: topics.ScrubConfig{Scrubbed: b.metrics.scrubbed, Damaged: b.metrics.damaged}})
	if err == nil {
		took := time.Since(began)
		b.metrics.opened(t, took)
		found.tell(b.cfg.Logger, t, took)
		warnOfFiles(b.cfg.Logger, t, mostFiles())
		err = b.serve(ctx, s, id, t)
		b.closing.Store(true)
		err = errors.Join(err, t.Close())
	}
	stopSyncing() // after the last append
	tasks.Wait()
	return err
}

// syncerConfig steers the group commit: on a disk that offers it, many logs are synced at once.
func (b *Broker) syncerConfig() (cfg commitlog.SyncerConfig, release func()) {
	cfg.Observe, release = b.metrics.synced, func() {}
	switch d := b.cfg.Disk.(type) {
	case disk.Real:
		if whole := disk.OpenWhole(b.cfg.Data); whole != nil {
			cfg.Whole, release = whole, whole.Close
		}
	case commitlog.WholeDisk:
		cfg.Whole = d
	}
	return cfg, release
}

// cut is who hears what recovery took away: acknowledged or not, that bytes are gone is never left to a log level.
func (b *Broker) cut(found *recovery) func(commitlog.Cut) {
	var one sync.Mutex // logs are opened several at a time
	return func(c commitlog.Cut) {
		b.metrics.cut(c)
		found.cut(c)
		if b.cfg.Recovered == nil {
			b.cfg.Logger.Error(c.String())
			return
		}
		one.Lock()
		defer one.Unlock()
		fmt.Fprintln(b.cfg.Recovered, c)
	}
}

// serve runs the rooms and the listeners over open topics.
func (b *Broker) serve(ctx context.Context, s *server, id identity, t *topics.Topics) error {
	b.stage.enter(phaseLoading)
	if idle := b.settings.Idle(); len(idle) > 0 {
		b.cfg.Logger.Info("settings that are Kafka's but have no effect here: " + strings.Join(idle, ", "))
	}
	if err := createTopics(t, b.cfg.CreateTopics, b.cfg.Logger); err != nil {
		return err
	}
	var coordinators handle.Coordinators
	room, err := b.openRoom(t, func() *group.Coordinator { return coordinators.Groups })
	if err != nil {
		return err
	}
	coordinators, err = b.coordinators(ctx, t, id.epoch)
	if err != nil {
		return err
	}
	losses := b.keepLosses(t, coordinators.Groups)
	if err := b.holdCommits(t, coordinators.Groups); err != nil {
		return err
	}
	defer b.writeEnds(t) // not before they were held against what was known
	quotas, err := b.openQuotas()
	if err != nil {
		return err
	}
	s.handlers = handle.New(handle.Config{ClusterID: id.clusterID, Topics: t, Coordinators: coordinators, Users: s.security.users, Access: s.security.acl,
		Quotas: quotas, Level: b.cfg.Level, Meter: b.metrics, Room: room, Logger: b.cfg.Logger})
	b.metrics.census.rooms.Store(&rooms{data: b.cfg.Data, topics: t, groups: coordinators.Groups, server: s})
	defer b.metrics.census.rooms.Store(nil)
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer end()
	failed := make(chan error, 2)
	tasks.Go(func() { failed <- coordinators.Groups.Run(life) })
	tasks.Go(func() { failed <- coordinators.Txns.Run(life) })
	tasks.Go(func() { _ = t.Run(life) }) // never fails
	tasks.Go(func() { _ = room.Run(life) })
	tasks.Go(func() { losses.run(life) })
	b.addr, b.addrs = s.addr(), s.addrs()
	b.cfg.Logger.Info("broker serves", "listen", strings.Join(said(s.doors), ", "), "data", b.cfg.Data, "topics", len(t.List()), "cluster", id.clusterID, "epoch", id.epoch)
	b.stage.enter(phaseServing)
	defer context.AfterFunc(ctx, func() { b.stage.enter(phaseDraining) })()
	close(b.ready)
	err = s.run(ctx, end)
	end()
	return errors.Join(err, <-failed, <-failed)
}

// coordinators opens the rooms behind groups, idempotent producers and transactions.
func (b *Broker) coordinators(ctx context.Context, t *topics.Topics, epoch int32) (handle.Coordinators, error) {
	var c handle.Coordinators
	floor := txn.ProducerID(0)
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			for _, known := range p.Log.Producers() {
				epoch = max(epoch, known.CoordinatorEpoch) // meta.properties may be lost, or the logs another broker's
				if known.ID < 1<<48 {                      // no broker gave out a larger one; a client may have made it up
					floor = max(floor, txn.ProducerID(known.ID)+1)
				}
			}
		}
	}
	var err error
	ids := filepath.Join(b.cfg.Data, "producer-ids")
	if c.ProducerIDs, err = txn.OpenIDs(txn.IDsConfig{Path: ids, Disk: b.cfg.Disk, Floor: max(floor, b.kafkaProducerID(ids)), Relieve: b.relieve}); err != nil {
		return c, err
	}
	topic, err := b.stateTopic(ctx, t, group.Topic)
	if err != nil {
		return c, err
	}
	c.Groups, err = group.New(b.groupConfig(t), b.stateLog(t, topic))
	if err != nil {
		return c, err
	}
	if err := c.Groups.Load(ctx); err != nil {
		return c, err
	}
	c.Txns, err = b.txns(ctx, t, epoch, c.ProducerIDs, c.Groups)
	return c, err
}

// groupConfig is the groups' part of the settings.
func (b *Broker) groupConfig(t *topics.Topics) group.Config {
	s := b.settings
	delay := s.Millis("group.initial.rebalance.delay.ms")
	if delay == 0 {
		delay = -1 // none; 0 would be the default
	}
	return group.Config{
		MinSession:       s.Millis("group.min.session.timeout.ms"),
		MaxSession:       s.Millis("group.max.session.timeout.ms"),
		InitialDelay:     delay,
		MaxMembers:       int(s.Int("group.max.size")),
		ConsumerSession:  s.Millis("group.consumer.session.timeout.ms"),
		ConsumerInterval: s.Millis("group.consumer.heartbeat.interval.ms"),
		ConsumerTimes: func(id string) (session, interval time.Duration) {
			return s.GroupMillis(id, "consumer.session.timeout.ms"), s.GroupMillis(id, "consumer.heartbeat.interval.ms")
		},
		MaxConsumers:   int(s.Int("group.consumer.max.size")),
		Assigners:      assigners(s.List("group.consumer.assignors")),
		PatternRefresh: s.Millis("group.consumer.regex.refresh.interval.ms"),
		Topics:         groupsTopics{t},
		MaxMetadata:    cmp.Or(int(s.Int("offset.metadata.max.bytes")), -1), // 0 would be the default
		RewriteBytes:   b.rewriteBytes(),
		Now:            b.clock.Now,
		Retention:      time.Duration(s.Int("offsets.retention.minutes")) * time.Minute,
		RetentionCheck: s.Millis("offsets.retention.check.interval.ms"),
		Logger:         b.cfg.Logger,
	}
}
