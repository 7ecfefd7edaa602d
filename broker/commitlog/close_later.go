package commitlog

import (
	"fmt"
	"path/filepath"
)

// CloseLater is Close for a log that is closed with many others: it syncs nothing itself. The
// caller makes the disk that the log lies on durable, then calls finish, which writes down
// that the log ends here; until then the next Open checks it. finish is nil when there is
// nothing more to do. After an error, or where the sync fails, it is not called.
func (l *Log) CloseLater() (finish func() error, err error) {
	if !l.whole { // it lies on another disk than the others
		return nil, l.Close()
	}
	err = l.shut(func() (err error) {
		finish, err = l.layPoint()
		return err
	})
	return finish, err
}

// layPoint writes the last recovery point under other names; finish gives it its own. No
// append comes in between, because appending is held to the end.
func (l *Log) layPoint() (finish func() error, err error) {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.appending.active.noteTime()
	l.mu.RLock()
	c, segments, renamed := l.pointLocked(), l.mu.segments, l.mu.renamed
	l.mu.RUnlock()
	c.clean = true
	if c == l.point && !renamed {
		l.endAppends()
		return nil, nil
	}
	for _, s := range segments {
		if s.base < l.point.segment { // vouched for by the last point
			continue
		}
		for _, e := range []*entries{&s.index, &s.times, &s.aborted} {
			if err := e.rest(); err != nil { // what is in memory goes to the file; an empty index needs none
				return nil, err
			}
		}
	}
	if err := l.sumAborted(l.upTo(c, segments).all(), c.end); err != nil {
		return nil, err
	}
	c.aborted = l.sums.lines(segments)
	files := []struct {
		name string
		b    []byte
	}{{producersFile, l.appending.producers.encode(c.end)}, {checkpointFile, c.bytes()}}
	for _, f := range files {
		if err := lay(l.fs, filepath.Join(l.dir, f.name+tmpSuffix), f.b); err != nil {
			return nil, err
		}
	}
	l.endAppends()
	return func() error {
		for _, f := range files { // in either order: producers of before are brought up to the log's end
			path := filepath.Join(l.dir, f.name)
			if err := l.fs.Rename(path+tmpSuffix, path); err != nil {
				return fmt.Errorf("closing %s: %w", l.name, err)
			}
		}
		return nil
	}, nil
}

// endAppends lets nobody append any more; the caller holds appending.
func (l *Log) endAppends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.err = ErrClosed
}

// all are the segments of p.
func (p pending) all() []*segment { return append(p.sealed[:len(p.sealed):len(p.sealed)], p.active) }
