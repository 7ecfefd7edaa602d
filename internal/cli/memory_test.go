package cli

import (
	"testing"
	"testing/fstest"
)

func TestTheMemoryOfTheControlGroupIsFound(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"no control groups": {fstest.MapFS{}, 0},
		"no limit":          {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
		"container":         {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("268435456\n")}, 256 << 20},
		"unit": {fstest.MapFS{"proc/self/cgroup": file("0::/system.slice/loghaul.service\n"), "sys/fs/cgroup/memory.max": file("max\n"),
			"sys/fs/cgroup/system.slice/memory.max": file("536870912\n"), "sys/fs/cgroup/system.slice/loghaul.service/memory.max": file("1073741824\n")}, 512 << 20},
		"version 1": {fstest.MapFS{"proc/self/cgroup": file("5:cpu:/docker/a\n7:memory:/docker/a\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("104857600\n"),
			"sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes": file("9223372036854771712\n")}, 100 << 20},
		"nonsense": {fstest.MapFS{"proc/self/cgroup": file("0:\n::\n0::/\n"), "sys/fs/cgroup/memory.max": file("-1")}, 0},
	} {
		if got := groupLimit(c.root); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
