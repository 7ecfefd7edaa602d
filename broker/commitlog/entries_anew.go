package commitlog

import "bytes"

// rewrite puts built in place of all entries.
func (e *entries) rewrite(built []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(0); err != nil {
		return err
	}
	if err := e.cut(0); err != nil {
		return err
	}
	e.mu.tail = append(e.mu.tail, built...)
	_ = e.flush() // without room it serves from memory
	return nil
}

// renew puts built in place of all entries, at once, so that a crash leaves the old
// ones, which were found wrong and will be again, or these. Where the disk has no
// room they serve from memory.
func (e *entries) renew(built []byte) error {
	if same, err := e.same(built); same || err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.gone {
		return errGone
	}
	if e.mu.f != nil {
		e.mu.f.Close()
		e.mu.f = nil
	}
	e.mu.cuts++
	e.mu.opened, e.mu.onDisk, e.mu.held, e.mu.tail = true, 0, true, built
	if err := replace(e.fs, e.path, built); err != nil {
		return err
	}
	e.mu.onDisk, e.mu.held, e.mu.tail = int64(len(built)), false, nil
	return nil
}

// same says whether the entries are these.
func (e *entries) same(built []byte) (bool, error) {
	at := 0
	err := e.from(func([]byte) bool { return false }, func(b []byte) error {
		if !bytes.HasPrefix(built[at:], b) {
			at = -1
			return errFound
		}
		at += len(b)
		return nil
	})
	return at == len(built), err
}
