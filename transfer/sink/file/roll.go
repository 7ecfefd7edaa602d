package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/loghaul/loghaul/internal/record"
)

// hidden is where the lines of a file lie that only appears once it is compressed.
func hidden(p string) string { return path.Join(path.Dir(p), "."+path.Base(p)+".open") }

// shown undoes hidden.
func shown(p string) string {
	return path.Join(path.Dir(p), strings.TrimSuffix(strings.TrimPrefix(path.Base(p), "."), ".open"))
}

// suffix is what a compressed file's name ends in.
var suffix = map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst"}

// due says whether any file is full or old enough to roll.
func (b *book) due(now time.Time) bool {
	for _, e := range b.mu.ledger.Files {
		if b.full(e, now) {
			return true
		}
	}
	return false
}

func (b *book) full(e *entry, now time.Time) bool {
	set := &b.s.cfg.Settings
	if e.Rolled || e.length == 0 {
		return false
	}
	return set.rollBytes > 0 && e.length >= set.rollBytes ||
		set.rollAge > 0 && now.UnixMilli()-e.Opened >= set.rollAge.Milliseconds()
}

// roll gives every full file its last name, NAME-<start offset>.EXT.
func (b *book) roll(now time.Time) error {
	var plan []rolling
	for _, e := range b.mu.ledger.Files {
		if b.full(e, now) {
			plan = append(plan, rolling{From: e.Path, To: b.rolledName(e.Path, e.Start), Length: e.length})
		}
	}
	return b.rollAll(plan)
}

// rollAll writes down what it is about to do, so that a kill in between is finished at the next start, and does it.
func (b *book) rollAll(plan []rolling) error {
	if len(plan) == 0 {
		return nil
	}
	b.mu.ledger.Rolling = plan
	if err := b.save(nil); err != nil {
		return err
	}
	if err := b.s.cfg.step("rolling"); err != nil {
		return err
	}
	return b.finishRolling()
}

// finishRolling does what the ledger says is being rolled. It may have been done already, in part or in whole.
func (b *book) finishRolling() error {
	for _, r := range b.mu.ledger.Rolling {
		if err := b.finishOne(r); err != nil {
			return fmt.Errorf("rolling %s to %s: %w", r.From, r.To, err)
		}
	}
	b.mu.ledger.Rolling = nil
	return nil
}

func (b *book) finishOne(r rolling) error {
	e := b.mu.ledger.find(r.From)
	if e != nil {
		b.closeFile(e)
	}
	_, err := b.s.root.Stat(r.To)
	done := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	plain := suffix[compressionOf(r)] == ""
	switch {
	case plain && !done:
		err = b.s.root.Rename(r.From, r.To)
	case plain:
		err = nil
	default:
		err = b.compress(r, done)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.s.cfg.step("rolled"); err != nil {
		return err
	}
	// The new name must be durable before the sidecar forgets the roll.
	if err := b.syncFolder(path.Dir(r.To)); err != nil {
		return err
	}
	if e != nil {
		b.mu.ledger.renamed(e, r.To)
		e.Packed = !plain
	}
	return nil
}

// compressionOf tells from a roll's names how it compresses; the setting may have changed since it was decided.
func compressionOf(r rolling) string {
	if !strings.HasPrefix(path.Base(r.From), ".") {
		return "none"
	}
	for name, s := range suffix {
		if s != "" && strings.HasSuffix(r.To, s) {
			return name
		}
	}
	return "none"
}

// compress makes the compressed file beside its plain twin, shows it whole, and removes the twin.
func (b *book) compress(r rolling, done bool) error {
	if !done {
		temp := path.Join(path.Dir(r.To), "."+path.Base(r.To)+".new")
		if err := b.compressTo(temp, r); err != nil {
			return err
		}
		if err := b.s.root.Rename(temp, r.To); err != nil {
			return err
		}
		// The twin goes only once its successor's name is durable.
		if err := b.syncFolder(path.Dir(r.To)); err != nil {
			return err
		}
		if err := b.s.cfg.step("packed"); err != nil {
			return err
		}
	}
	return b.s.root.Remove(r.From)
}

func (b *book) compressTo(temp string, r rolling) error {
	src, err := b.s.root.Open(r.From)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := b.s.root.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	w, err := newCompressor(dst, compressionOf(r))
	if err == nil {
		_, err = io.Copy(w, io.LimitReader(src, r.Length))
		err = errors.Join(err, w.Close())
	}
	if err == nil {
		// The twin is removed after this: the bytes must survive a power cut.
		err = syncFile(dst)
	}
	return errors.Join(err, dst.Close())
}

func newCompressor(w io.Writer, name string) (io.WriteCloser, error) {
	if name == "gzip" {
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	}
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
}

// rolledName is a free NAME-<start offset>.EXT beside a file.
func (b *book) rolledName(p string, start record.Offset) string {
	end := suffix[b.s.cfg.Settings.compression]
	if strings.HasPrefix(path.Base(p), ".") {
		p = shown(p)
	} else {
		end = ""
	}
	ext := path.Ext(p)
	stem := strings.TrimSuffix(p, ext) + "-" + strconv.FormatInt(int64(start), 10)
	for i := 1; ; i++ {
		name := stem + ext + end
		if i > 1 {
			name = stem + "-" + strconv.Itoa(i) + ext + end
		}
		if _, err := b.s.root.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}

// finish makes the files appear that are only seen once they are compressed.
func (b *book) finish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.live || b.s.cfg.Settings.compression == "none" {
		return nil
	}
	var plan []rolling
	for _, e := range b.mu.ledger.Files {
		if !e.Rolled && e.length > 0 {
			plan = append(plan, rolling{From: e.Path, To: b.rolledName(e.Path, e.Start), Length: e.length})
		}
	}
	if len(plan) == 0 {
		return nil
	}
	if err := b.rollAll(plan); err != nil {
		b.mu.live = false
		return err
	}
	return b.record(nil)
}
