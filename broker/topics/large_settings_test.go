package topics

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kafka-reassign-partitions names every replica of a large topic in one setting.
func TestALongSettingIsReadBackAfterARestart(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	long := strings.Repeat("0:1,", 20_000) + "1:1"
	if _, err := topics.Create("t", 1, map[string]string{"leader.replication.throttled.replicas": long}); err != nil {
		t.Fatal(err)
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir).Get("t").Own()["leader.replication.throttled.replicas"]; got != long {
		t.Errorf("%d bytes came back of %d", len(got), len(long))
	}
}

func TestWhatClientsMaySetIsBounded(t *testing.T) {
	topics := open(t, t.TempDir())
	if _, err := topics.Create("t", 1, map[string]string{"message.format.version": strings.Repeat("x", mostOfTopic)}); !errors.Is(err, ErrSetting) {
		t.Errorf("a topic with a megabyte of settings: %v, want ErrSetting", err)
	}
	err := topics.AlterBroker(func(d *Dynamic) error {
		d.Node["confluent.anything"] = strings.Repeat("x", mostDynamic)
		return nil
	})
	if !errors.Is(err, ErrSettings) || topics.Settings().Given("confluent.anything") {
		t.Errorf("a broker with megabytes of settings: %v, want ErrSettings and nothing changed", err)
	}
}

func TestThousandsOfUnknownSettingsAreRefusedAtOnce(t *testing.T) {
	unknown := map[string]string{}
	for i := range 100_000 {
		unknown[fmt.Sprintf("no.setting.of.anybody.%d", i)] = "1"
	}
	for what, check := range map[string]func() error{
		"a topic's":  func() error { return CheckTopic(unknown) },
		"a broker's": func() error { return checkDynamic(unknown, nil, oneBroker) },
	} {
		began := time.Now()
		err := check()
		if took := time.Since(began); err == nil || len(err.Error()) > 64<<10 || took > 15*time.Second {
			t.Errorf("%s: refused (%t) after %v", what, err != nil, took)
		}
	}
	if err := CheckTopic(map[string]string{"retention.ms": strings.Repeat("9", 1<<20)}); err == nil || len(err.Error()) > 1024 {
		t.Errorf("the complaint about a megabyte of digits has %d bytes", len(fmt.Sprint(err)))
	}
}

// A value that is taken must be one that the logs take too, or the broker would not start again.
func TestTheLogsTakeWhatTheSettingsAllow(t *testing.T) {
	settings := &Settings{}
	for _, s := range topicTable {
		most := s.max
		switch {
		case s.kind != kindInt && s.kind != kindLong:
			continue
		case most == 0 && s.kind == kindInt:
			most = math.MaxInt32
		case most == 0:
			most = math.MaxInt64
		}
		for _, n := range []int64{s.min, most} {
			own := map[string]string{s.topic: fmt.Sprint(n)}
			if err := errors.Join(CheckTopic(own), settings.effective(own).Log.Validate()); err != nil {
				t.Errorf("%v: %v", own, err)
			}
		}
	}
}

func TestBlanksAroundAGroupsSettingMeanNothing(t *testing.T) {
	topics := open(t, t.TempDir())
	err := topics.AlterBroker(func(d *Dynamic) error {
		d.Group("g")["consumer.session.timeout.ms"] = " 50000 "
		return nil
	})
	if got := topics.Settings().GroupMillis("g", "consumer.session.timeout.ms"); err != nil || got != 50*time.Second {
		t.Errorf("the session lasts %v, %v, want 50s", got, err)
	}
}

// Listeners have read their settings when the broker serves: a change that was taken would wait for the next new
// certificate, and be gone after a restart.
func TestSettingsOfAListenerAreNotChangedWhileItListens(t *testing.T) {
	topics := open(t, t.TempDir())
	set := func(name string) error {
		return topics.AlterBroker(func(d *Dynamic) error {
			d.Node[name] = "none"
			return nil
		})
	}
	if err := set("listener.name.external.ssl.client.auth"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("%v, want ErrReadOnly", err)
	}
	if err := set("listener.name.external.ssl.engine.factory.class"); err != nil {
		t.Errorf("one without effect: %v", err)
	}
}

func TestASettingPutIntoTheFileByHandIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, dynamicFile), []byte(`{"version": 1, "node": {"no.such.setting": "1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range open(t, dir).Settings().Broker() {
		if v.Name == "no.such.setting" {
			t.Errorf("shown is %+v", v)
		}
	}
}
