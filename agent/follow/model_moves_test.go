package follow

import (
	"os"
	"slices"
	"strings"
)

// compressOld compresses the oldest rotated file of the model.
func (m *model) compressOld() {
	i := slices.IndexFunc(m.rotated, func(name string) bool { return !strings.HasSuffix(name, ".gz") })
	if i < 0 {
		return
	}
	m.poll()
	m.did("gzip")
	compress(m.t, m.rotated[i], ".gz")
	m.rotated[i] += ".gz"
	m.blind = true
}

// moveAwayAndBack takes the file's name from it for a while.
func (m *model) moveAwayAndBack() {
	if !m.holds(m.path) {
		return
	}
	m.did("away")
	must(m.t, os.Rename(m.path, m.path+" is elsewhere"))
	m.write()
	m.poll()
	must(m.t, os.Rename(m.path+" is elsewhere", m.path))
	m.did("back")
	m.write()
	m.poll()
}
