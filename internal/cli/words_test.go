package cli

import (
	"errors"
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
