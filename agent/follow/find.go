package follow

import (
	"fmt"
	"io/fs"
)

// find looks for the file of g among the names beside where it was, and takes
// note of its name. fs.ErrNotExist: it is nowhere.
func (s *Stream) find(g *generation) (fileInfo, error) {
	if info, err := statPath(s.cfg.Path); err == nil && info.key == g.key {
		g.name = s.realPath()
		return info, nil
	}
	for _, base := range []string{s.realPath(), g.name} {
		sibs, err := relatives(base)
		if err != nil {
			if missing(err) {
				continue
			}
			return fileInfo{}, err
		}
		for _, sib := range sibs {
			if sib.info.key == g.key {
				g.name = sib.name
				return sib.info, nil
			}
		}
	}
	return fileInfo{}, fs.ErrNotExist
}

// reopen opens the file of g again after a release. here is false when there is
// no such file any more; g has ended then.
func (s *Stream) reopen(g *generation) (here bool, err error) {
	f, err := openFile(g.name, s.cfg.Allow)
	if err == nil && f.info.key == g.key {
		g.file = f.handle
		return true, nil
	}
	f.close()
	if err != nil && !missing(err) {
		return false, err
	}
	if _, err = s.find(g); err != nil {
		if missing(err) {
			s.vanished(g)
			return false, nil
		}
		return false, fmt.Errorf("looking for %s: %w", g.name, err)
	}
	if f, err = openFile(g.name, s.cfg.Allow); err != nil {
		return false, err
	}
	if f.info.key != g.key { // renamed again just now: the next call finds it
		f.close()
		return false, nil
	}
	g.file = f.handle
	return true, nil
}
