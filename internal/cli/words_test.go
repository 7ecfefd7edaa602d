package cli

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func TestFormatShowsEveryPartOfARecord(t *testing.T) {
	r := &record.Record{
		Offset: 42, Timestamp: time.Date(2026, 11, 21, 10, 0, 0, 7e6, time.UTC).UnixMilli(), Key: []byte("k"), Value: []byte("GET /"),
		Headers: []record.KV{{Key: []byte("pos"), Value: []byte("0a:1+2")}, {Key: []byte("app"), Value: []byte("nginx")}},
	}
	for f, want := range map[string]string{
		`%s\n`:               "GET /\n",
		`%t/%p@%o %T`:        "web_log/3@42 2026-11-21T10:00:00.007Z",
		`%k\t%h`:             "k\tpos=0a:1+2,app=nginx",
		`100%% \\ \0 %s end`: "100% \\ \x00 GET / end",
		``:                   "",
		`%`:                  "%",
	} {
		got, err := parseFormat(f)
		if err != nil {
			t.Errorf("parseFormat(%q): %v", f, err)
		} else if s := string(got.append(nil, "web_log", 3, r)); s != want {
			t.Errorf("format %q shows %q, want %q", f, s, want)
		}
	}
}

func TestPlacesInATopic(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ten := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).UnixMilli()
	for s, want := range map[string]point{
		"beginning":                 {kind: atBeginning},
		"end":                       {kind: atEnd},
		"0":                         {atOffset, 0},
		"512":                       {atOffset, 512},
		"-5":                        {beforeEnd, 5},
		"2026-11-21T10:00:00Z":      {atTime, ten},
		"2026-11-21T11:00:00+01:00": {atTime, ten},
		"2026-11-21T10:00Z":         {atTime, ten},
		"2026-11-21 10:00":          {atTime, ten},
		"2h":                        {atTime, ten},
		"2026-11-21":                {atTime, ten - 10*3600_000},
		"1d":                        {atTime, ten - 22*3600_000},
	} {
		if got, err := parsePoint("from", s, now); err != nil || got != want {
			t.Errorf("parsePoint(%q) = %+v, %v, want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "now", "-2h", "10:00", "five"} {
		if got, err := parsePoint("from", s, now); err == nil {
			t.Errorf("parsePoint(%q) = %+v, want a refusal", s, got)
		}
	}
}

func TestKafkasOwnSettingsComeFromThreePlaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	text := "# comment\n! comment\nnum.partitions=2\nlog.retention.hours: 5\nadvertised.x=a=b:\\\n  9092\n\nmessage.max.bytes = 9\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"KAFKA_LOG_RETENTION_HOURS=6", "KAFKA_MESSAGE_MAX_BYTES=7", "KAFKA_A__B___C=1", "KAFKA_HEAP_OPTS=-Xmx1G", "KAFKA_HOME=/opt", "HOME=/root"}
	got, err := brokerSettings(brokerFlags{properties: file, set: []string{"message.max.bytes=8"}}, environ)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"num.partitions": "2", "log.retention.hours": "6", "advertised.x": "a=b:9092", "message.max.bytes": "8", "a_b-c": "1"}
	if !maps.Equal(got, want) {
		t.Errorf("settings = %v, want %v", got, want)
	}
	if err := os.WriteFile(file, []byte("num.partitions=2\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readProperties(file); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("reading a broken file: %v, want line 2 named", err)
	}
}

func TestExitCodesAreTheErrors(t *testing.T) {
	for want, err := range map[int]error{
		exitDone:     nil,
		exitFailed:   errors.New("broken"),
		exitUsage:    usageErrorf("wrong"),
		exitDegraded: degraded(nil),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("exitCode(%v) = %d, want %d", err, got, want)
		}
	}
}
