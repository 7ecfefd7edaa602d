package cli

import (
	"strings"
	"testing"
)

func TestATrimSaysWhatItFreed(t *testing.T) {
	held := map[int32]bounds{0: {0, 100}, 1: {0, 100}}
	type sizes = map[int32]int64
	for _, c := range []struct {
		goals        map[int32]int64
		before, left sizes
		want         string
		partly       bool
	}{
		{map[int32]int64{0: 100}, sizes{0: 5 << 20}, sizes{0: 0}, "freed on the disk: 5.0 MiB", false},
		{map[int32]int64{0: 50}, sizes{0: 3 << 10}, sizes{0: 3 << 10}, "freed on the disk: 0 bytes", true},
		{map[int32]int64{0: 50, 1: 100}, sizes{0: 3 << 10, 1: 3 << 10}, sizes{0: 1 << 10, 1: 4 << 10}, "freed on the disk: 2.0 KiB", true},
		{map[int32]int64{0: 50}, nil, sizes{0: 1}, "", false},
		{map[int32]int64{0: 50}, sizes{0: 1}, sizes{}, "", false},
	} {
		got := freedText(c.goals, held, c.before, c.left)
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.Contains(got, "--before end frees everything at once") != c.partly {
			t.Errorf("trimmed to %v, %v before, %v left: said %q, want %q, partly %t", c.goals, c.before, c.left, got, c.want, c.partly)
		}
	}
}

func TestHowADiskStandsInALine(t *testing.T) {
	for want, d := range map[string]*diskStatus{
		"": nil,
		"topics take 1.5 KiB under /srv, the disk has 1.0 GiB free":                                                 {Folder: "/srv", Used: 1536, Free: 1 << 30},
		"topics take 10 bytes of a budget of 1.0 MiB (--on-full drop-oldest) under /srv, the disk has 1.0 GiB free": {Folder: "/srv", Used: 10, Budget: 1 << 20, OnFull: "drop-oldest", Free: 1 << 30},
		"topics take 1 byte under /srv": {Folder: "/srv", Used: 1, Free: -1},
	} {
		if got := d.stands(); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}
