package follow

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
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

// slept counts how often a reader came to rest, over all models.
var slept atomic.Int64

// sleep lets the reader come to rest if it can, and another one go on when it was found
// that something has changed.
func (m *model) sleep() {
	if m.blind {
		return
	}
	m.endLine()
	m.poll()
	m.tl.clock.forward(2 * time.Hour) // old files are let go of
	m.poll()
	m.ack(len(m.sent))
	m.tl.s.Release()
	seen, _, _, ok := m.tl.s.Rest()
	m.did(fmt.Sprintf("sleep %t", ok))
	if !ok {
		return
	}
	slept.Add(1)
	for range m.r.IntN(3) {
		if m.r.IntN(2) == 0 {
			m.rotate()
		} else {
			m.write()
		}
	}
	if now, err := See(m.path); err == nil && now == seen {
		m.write()
	}
	cfg := m.cfg
	cfg.Rested, cfg.Resume = seen, nil
	for _, cp := range m.acks {
		cfg.Resume = append(cfg.Resume, cp)
	}
	m.tl.s = m.tl.clock.set(New(cfg))
	m.poll()
}

// replace deletes the file, which is written on without a name if it is held open. If not,
// the filesystem may give its inode to the next one.
func (m *model) replace() {
	if !m.holds(m.path) || m.r.IntN(2) == 0 {
		m.endLine()
		m.settle()
		m.tl.s.Release()
	}
	held := m.holds(m.path)
	m.did(fmt.Sprint("remove, held ", held))
	if tick(m.t, m.path); !held {
		m.w.Close() // the last that holds the inode
		must(m.t, os.Remove(m.path))
		m.create()
		return
	}
	must(m.t, os.Remove(m.path))
	if held {
		m.blind = true
		m.write()
		if m.r.IntN(2) == 0 {
			m.poll()
			m.write()
			m.blind = true
		}
		m.endLine()
	}
	if m.r.IntN(2) == 0 {
		m.look()
	}
	tick(m.t, m.path)
	m.create()
}
