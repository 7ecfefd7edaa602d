package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// ErrOtherCluster says that the journal belongs to another cluster.
var ErrOtherCluster = errors.New("the journal belongs to another cluster")

// DamageError names bytes of a journal that are not what was written.
type DamageError struct {
	File     string
	Position int64
	Err      error
}

// Error names the place and the cause.
func (e *DamageError) Error() string {
	return fmt.Sprintf("the journal %s is damaged at byte %d: %v", e.File, e.Position, e.Err)
}

// Unwrap is the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// Open reads the journal in cfg.Dir or begins one. A torn end is cut, which is what
// a power cut leaves. Damage before the end is a line in the log; the damaged file
// is kept beside, what stands before the damage holds, and Doubt says so. When not
// even the snapshot can be read, Open refuses with a *DamageError rather than send
// everything again.
func Open(cfg Config) (*Journal, error) {
	j := &Journal{cfg: cfg.withDefaults(), wrap: func(f *os.File) storage { return f }}
	j.mu.state = newState()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w", err)
	}
	numbers, err := j.files()
	if err != nil {
		return nil, err
	}
	boot := bootID()
	if len(numbers) == 0 {
		j.mu.meta.instance, j.mu.meta.boot = newInstance(), boot
		return j, j.compact()
	}
	newest := numbers[len(numbers)-1]
	if err := j.read(newest); err != nil {
		return nil, err
	}
	for _, n := range numbers[:len(numbers)-1] {
		os.Remove(j.path(n)) // its successor is complete, so it is of no use
	}
	if j.mu.meta.boot != boot {
		j.mu.doubt = "the machine was started anew, and the last moments may not have reached the disk"
		j.mu.meta.boot = boot
		j.fact(appendFrame(nil, kindMeta, j.mu.meta.append))
	}
	return j, nil
}

func (j *Journal) path(n int) string {
	return filepath.Join(j.cfg.Dir, fmt.Sprintf("journal-%08d.log", n))
}

// files lists the numbers of the journal's files in order and clears away what a
// crash left of an unfinished one.
func (j *Journal) files() ([]int, error) {
	entries, err := os.ReadDir(j.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading the journal's folder: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		var n int
		if filepath.Ext(e.Name()) == ".tmp" {
			os.Remove(filepath.Join(j.cfg.Dir, e.Name()))
		} else if _, err := fmt.Sscanf(e.Name(), "journal-%08d.log", &n); err == nil && e.Name() == filepath.Base(j.path(n)) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// read takes over the file of number n and leaves it open for what comes.
func (j *Journal) read(n int) error {
	file, err := os.OpenFile(j.path(n), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	data, err := os.ReadFile(j.path(n))
	if err != nil {
		file.Close()
		return fmt.Errorf("reading the journal: %w", err)
	}
	good, base, cause := j.replay(data)
	if base == 0 {
		file.Close()
		return fmt.Errorf("%w: move the folder %s away to begin anew; what was already sent is then sent again", &DamageError{j.path(n), int64(good), cause}, j.cfg.Dir)
	}
	j.mu.file, j.mu.number, j.mu.size, j.mu.base = j.wrap(file), n, int64(good), int64(base)
	if cause == nil || !followed(data[good:]) {
		return j.cutTorn(len(data) - good)
	}
	j.mu.doubt = (&DamageError{j.path(n), int64(good), cause}).Error()
	j.cfg.Logger.Error("what the journal says after the damage is lost; the brokers will be asked what they have", "err", j.mu.doubt, "kept as", j.path(n)+".damaged")
	if err := os.Link(j.path(n), j.path(n)+".damaged"); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("keeping the damaged journal beside: %w", err)
	}
	return j.compact()
}

// replay applies frames until the first bad one; base is the end of the snapshot,
// 0 when that is not whole.
func (j *Journal) replay(data []byte) (good, base int, cause error) {
	for good < len(data) {
		k, payload, n, err := nextFrame(data[good:])
		if err == nil && (good == 0) != (k == kindHeader) {
			err = fmt.Errorf("%w: frame kind %d stands where it cannot", errFrame, k)
		}
		if err == nil {
			err = j.mu.apply(k, payload)
		}
		if err != nil {
			return good, base, err
		}
		if good += n; k == kindEnd {
			base = good
		}
	}
	if base == 0 {
		cause = errTorn
	}
	return good, base, cause
}

// cutTorn takes the end of the file back to its last whole frame.
func (j *Journal) cutTorn(excess int) error {
	if excess == 0 {
		return nil
	}
	j.cfg.Logger.Warn("the journal's torn end was cut", "file", j.path(j.mu.number), "bytes", excess, "position", j.mu.size)
	j.mu.doubt = "its end was torn"
	if err := j.mu.file.Truncate(j.mu.size); err != nil {
		return fmt.Errorf("cutting the torn end of the journal: %w", err)
	}
	return nil
}

func newInstance() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
