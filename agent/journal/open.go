package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
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
// is kept beside, and what stands before the damage holds. Either way the journal is
// doubted from then on, and Doubted says so of each topic until Trust is called. When
// not even the snapshot can be read, Open refuses with a *DamageError rather than send
// everything again.
func Open(cfg Config) (*Journal, error) {
	j := &Journal{cfg: cfg.withDefaults(), syncing: make(chan struct{}, 1)}
	j.syncing <- struct{}{}
	j.mu.state = newState()
	if err := disk.MkdirAll(j.cfg.Disk, cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w", err)
	}
	numbers, err := j.files()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return j, j.create()
	}
	newest := numbers[len(numbers)-1]
	if err := j.read(newest); err != nil {
		return nil, err
	}
	for _, n := range numbers[:len(numbers)-1] {
		j.cfg.Disk.Remove(j.path(n)) // its successor is complete, so it is of no use
	}
	j.here()
	j.today()
	if j.mu.old {
		// Frames that an older version does not know stand behind a header that says so.
		return j, j.compact()
	}
	return j, nil
}

// create begins a journal where there is none.
func (j *Journal) create() error {
	j.mu.meta.instance, j.mu.meta.boot = newInstance(), j.cfg.boot
	j.mu.meta.born = j.cfg.Now().UnixMilli()
	if err := j.compact(); err != nil {
		return err
	}
	// The folder's own name must be on disk too, or a power cut takes all with it.
	return j.cfg.Disk.SyncDir(filepath.Dir(j.cfg.Dir))
}

// home is where this journal lies: the host and the folder.
func (j *Journal) home() string { return j.cfg.Host + " " + j.cfg.place(j.cfg.Dir) + " " }

// spot is where the journal file of that name lies, and which file it is: one that was put
// back from a copy is another.
func (j *Journal) spot(name string) string { return j.home() + j.cfg.place(name) }

// here compares what the journal says of itself with where it lies and with what runs.
func (j *Journal) here() {
	m, spot := j.mu.meta, j.spot(j.path(j.mu.number))
	switch {
	case m.place != "" && !strings.HasPrefix(m.place, j.home()):
		// Its producer id may be in use where it came from, or have been used after it
		// was copied: batches in doubt are settled under it, and new ones get another.
		m.instance, m.producer = newInstance(), -1
		j.distrust("it was copied here from another host or folder", true)
	case m.boot != j.cfg.boot:
		j.distrust("the machine was started anew, and the last moments may not have reached the disk", false)
	case m.place != "" && m.place != spot:
		j.distrust("it was restored from a copy", false)
	case j.mu.why != "":
		j.distrust(j.mu.why, false)
	}
	if m.boot, m.place = j.cfg.boot, spot; m != j.mu.meta {
		j.fact(appendFrame(nil, kindMeta, m.append))
		j.mu.setMeta(m)
	}
}

func (j *Journal) path(n int) string {
	return filepath.Join(j.cfg.Dir, fmt.Sprintf("journal-%08d.log", n))
}

// numberOf is the number of a journal file by its name.
func (j *Journal) numberOf(name string) (n int, ok bool) {
	_, err := fmt.Sscanf(name, "journal-%08d.log", &n)
	return n, err == nil && name == filepath.Base(j.path(n))
}

// files lists the numbers of the journal's files in order and clears away what a
// crash left of an unfinished one.
func (j *Journal) files() ([]int, error) {
	entries, err := j.cfg.Disk.ReadDir(j.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading the journal's folder: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".tmp" {
			j.cfg.Disk.Remove(filepath.Join(j.cfg.Dir, e.Name()))
		} else if n, ok := j.numberOf(e.Name()); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for len(numbers) > 1 { // one that was spoilt because it could not be removed
		info, err := j.cfg.Disk.Stat(j.path(numbers[len(numbers)-1]))
		if err != nil {
			return nil, fmt.Errorf("looking at the journal: %w", err)
		}
		if info.Size() > 0 {
			break
		}
		j.cfg.Disk.Remove(j.path(numbers[len(numbers)-1]))
		numbers = numbers[:len(numbers)-1]
	}
	return numbers, nil
}

// read takes over the file of number n and leaves it open for what comes.
func (j *Journal) read(n int) error {
	file, err := j.cfg.Disk.Open(j.path(n), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	data, err := disk.ReadFile(j.cfg.Disk, j.path(n))
	if err != nil {
		file.Close()
		return fmt.Errorf("reading the journal: %w", err)
	}
	good, base, cause := j.replay(data)
	if base == 0 {
		file.Close()
		return fmt.Errorf("%w: move the folder %s away to begin anew; what was already sent is then sent again", &DamageError{j.path(n), int64(good), cause}, j.cfg.Dir)
	}
	j.mu.file, j.mu.number, j.mu.size, j.mu.base = file, n, int64(good), int64(base)
	if cause == nil || !followed(data[good:]) {
		return j.cutTorn(len(data) - good)
	}
	j.mu.why = (&DamageError{j.path(n), int64(good), cause}).Error()
	j.cfg.Logger.Error("what the journal says after the damage is lost; the brokers will be asked what they have", "err", j.mu.why, "kept as", j.path(n)+".damaged")
	if err := durable.ReplaceOn(j.cfg.Disk, j.path(n)+".damaged", data, 0o600); err != nil {
		return fmt.Errorf("keeping the damaged journal beside: %w", err)
	}
	j.mu.doubt.arise(j.mu.why, false) // with the snapshot: a crash now must not make it whole
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
	j.mu.why = "its end was torn"
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
