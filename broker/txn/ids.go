package txn

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// ProducerID names an idempotent producer in this cluster; 0 is the first.
type ProducerID int64

// blockSize is how many ids one write to the disk reserves, as in Kafka.
const blockSize = 1000

// idsBytes is what the file takes on a disk, roughly.
const idsBytes = 4096

// The file holds one line, "loghaul producer ids 1: next <n>": every id below n may have been given out.
const format = "loghaul producer ids 1: next %d\n"

// IDsConfig steers ProducerIDs.
type IDsConfig struct {
	// Path is the file that remembers what was given out; its folder must exist.
	Path string
	// Disk is where it lives; nil: the real disk.
	Disk disk.FS
	// Floor is the lowest id that may be given out whatever the file says: one above every id that the
	// partitions' logs know, so that a lost file repeats none of those.
	Floor ProducerID
	// Relieve is told of a write that failed; true: there is room for another attempt. nil: there is none.
	Relieve func(bytes int, err error) bool
}

// ProducerIDs gives out producer ids. It is safe for concurrent use.
type ProducerIDs struct {
	path    string
	disk    disk.FS
	relieve func(bytes int, err error) bool
	mu      struct {
		sync.Mutex
		next, end ProducerID // [next, end) is reserved on disk for this process
	}
}

// OpenIDs reads what was given out before. A file that is not there is the first start; one that makes no
// sense is an error, since guessing could give an id to two producers.
func OpenIDs(cfg IDsConfig) (*ProducerIDs, error) {
	p := &ProducerIDs{path: cfg.Path, disk: disk.Or(cfg.Disk), relieve: cfg.Relieve}
	if p.relieve == nil {
		p.relieve = func(int, error) bool { return false }
	}
	next, err := read(p.disk, cfg.Path)
	if err != nil {
		return nil, err
	}
	p.mu.next = max(next, cfg.Floor)
	p.mu.end = p.mu.next // nothing is reserved yet
	return p, nil
}

// Next returns an id that nobody has had. It waits for the disk once in a thousand times.
func (p *ProducerIDs) Next() (ProducerID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.next == p.mu.end {
		err := write(p.disk, p.path, p.mu.end+blockSize)
		if err != nil && p.relieve(idsBytes, err) {
			err = write(p.disk, p.path, p.mu.end+blockSize)
		}
		if err != nil {
			return 0, fmt.Errorf("reserving producer ids: %w", err)
		}
		p.mu.end += blockSize
	}
	id := p.mu.next
	p.mu.next++
	return id, nil
}

// above makes every further id larger than id, which somebody has.
func (p *ProducerIDs) above(id ProducerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id >= p.mu.next {
		p.mu.next = id + 1
		p.mu.end = max(p.mu.end, p.mu.next) // what lies above is reserved when it is asked for
	}
}

func read(fsys disk.FS, path string) (ProducerID, error) {
	data, err := disk.ReadFile(fsys, path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the producer ids given out: %w", err)
	}
	if data, err = durable.Unsign(data); err != nil {
		return 0, fmt.Errorf("reading the producer ids given out in %s: %w; or write the line %q into it with a number above every producer id in use",
			path, err, strings.TrimSpace(fmt.Sprintf(format, 1000)))
	}
	prefix, _, _ := strings.Cut(format, "%d")
	digits, ok := strings.CutPrefix(string(data), prefix)
	digits, whole := strings.CutSuffix(digits, "\n")
	next, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !whole || err != nil || next < 0 {
		return 0, fmt.Errorf("%s is damaged (%.60q): write the line %q into it with a number above every producer id in use",
			path, data, strings.TrimSpace(fmt.Sprintf(format, 1000)))
	}
	return ProducerID(next), nil
}

// write replaces the file. It is durable before an id of the new block is used: a power cut finds the old file or the
// new, and no id at large that neither covers.
func write(fsys disk.FS, path string, next ProducerID) error {
	return durable.ReplaceOn(fsys, path, durable.Sign(fmt.Appendf(nil, format, next)), 0o600)
}
