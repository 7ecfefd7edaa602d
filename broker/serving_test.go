package broker_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/prometheus/client_golang/prometheus"
)

// wantServing expects that the broker serves, or, with words, does not because of that.
func wantServing(t *testing.T, b *broker.Broker, words string) {
	t.Helper()
	err := b.Serving()
	if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
		t.Errorf("serving: %v, want %q", err, words)
	}
}

func TestABrokerServesBetweenItsStartAndItsEnd(t *testing.T) {
	b, err := broker.New(broker.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	wantServing(t, b, "not started")
	r := start(t, broker.Config{})
	wantServing(t, r.broker, "")
	if r.broker.Closing() {
		t.Error("a broker that serves says that it closes its logs")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	wantServing(t, r.broker, "ended")
	if !r.broker.Closing() {
		t.Error("a broker that has ended never said that it closed its logs")
	}
}

func TestABrokerThatRecoversSaysSo(t *testing.T) {
	held := crashdisk.New()
	opened, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	held.SetFault(func(op, path string, n int) (int, error) {
		if filepath.Base(filepath.Dir(path)) == "web_log-0" {
			first.Do(func() {
				close(opened)
				<-goOn
			})
		}
		return n, nil
	})
	dir := t.TempDir()
	if err := start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:1"}}).stop(); err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Data: dir, Listen: []string{"127.0.0.1:0"}, Disk: held})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-opened:
		wantServing(t, b, "recovering the logs")
	case <-b.Ready():
		t.Error("the broker serves without a look at its log")
	}
	close(goOn)
	<-b.Ready()
	wantServing(t, b, "")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAPartitionThatFailedIsShown(t *testing.T) {
	broken := crashdisk.New()
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2", "other:1"}, Disk: broken, Registry: registry})
	conn := r.dial()
	batch := seal(t, 1, record.NoProducer, record.None)
	put(t, conn, 7, "web_log", 0, -1, batch)
	broken.SetFault(func(op, path string, n int) (int, error) {
		if op == "sync" && strings.Contains(path, "web_log-1") && filepath.Ext(path) == ".log" {
			return 0, syscall.EIO
		}
		return n, nil
	})
	wantCode(t, "Produce", 7, put(t, conn, 7, "web_log", 1, -1, batch).ErrorCode, 56)
	wantServing(t, r.broker, "web_log-1: ")
	wantServing(t, r.broker, "check the disk and restart")
	if got := series(t, registry, "loghaul_broker_partitions_failed")[""]; got != 1 {
		t.Errorf("%v partitions counted as failed, want 1", got)
	}
	wantCode(t, "Produce", 7, put(t, conn, 7, "web_log", 1, -1, batch).ErrorCode, 56)
	if got := series(t, registry, "loghaul_broker_produce_errors_total"); got["KAFKA_STORAGE_ERROR"] != 2 {
		t.Errorf("errors by name: %v", got)
	}
	wantCode(t, "Produce", 7, put(t, conn, 7, "other", 0, -1, batch).ErrorCode, 0) // others go on
	if err := r.stop(); !errors.Is(err, syscall.EIO) && err != nil {
		t.Errorf("the end says %v", err)
	}
}
