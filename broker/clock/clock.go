// Package clock tells the time by which old things are deleted: that of the wall, unless it has jumped; then nothing is
// deleted for a day of running, and the operator is told.
package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

const (
	// jumpRunning is how far the clock may move by itself while the broker runs; a machine that slept moves it too.
	jumpRunning = 24 * time.Hour
	// jumpStopped is how far it may have moved since the last start; the broker may have been stopped as long.
	jumpStopped = 30 * 24 * time.Hour
	// jumpBack is how far it may go back.
	jumpBack = time.Hour
	// hold is how long a clock that jumped ahead is not believed.
	hold = 24 * time.Hour
	// keepEvery is the time between two writings of the file.
	keepEvery = time.Minute
)

// file holds the time that was believed last, so that a jump while the broker is stopped is seen, and in a second line
// how far behind the wall that is and how much of the hold has passed, so that a broker that is stopped every night does
// not begin it anew each morning. It is not synced.
//
//	2026-08-01T12:00:00Z
//	behind 8760h0m0s held 7h30m0s
const file = "last-seen"

// neverBefore is when batches got the format that they are stored in: a clock that tells an earlier time was not set.
// A machine without a battery starts in 1970, and the network sets it a little later.
var neverBefore = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)

// Set says whether a time can be that of a clock that somebody has set.
func Set(t time.Time) bool { return !t.Before(neverBefore) }

// Config steers a Clock. Dir is required.
type Config struct {
	Dir    string           // the data folder
	Disk   disk.FS          // where it lies; nil: the real disk
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // the wall clock; nil: time.Now
	// Running is the time since some moment, by a clock that nobody sets; nil: time.Since.
	Running func() time.Duration
}

// Clock is safe for concurrent use.
type Clock struct {
	cfg Config
	mu  struct {
		sync.Mutex
		wall    time.Time     // as of the last call, or when the folder was in use last; zero: not known
		running time.Duration // at that moment
		unset   bool          // the clock is not set; wall and running are of before
		behind  time.Duration // the believed time is so much behind the wall; 0: it is the wall's
		until   time.Duration // of running: then the wall is believed again
		kept    time.Duration // when the file was written
		named   bool          // the file has been written
	}
}

// New reads when the folder was in use last. It starts nothing.
func New(cfg Config) *Clock {
	cfg.Disk = disk.Or(cfg.Disk)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Now().Round(0) }
	}
	if cfg.Running == nil {
		began := time.Now()
		cfg.Running = func() time.Duration { return time.Since(began) }
	}
	c := &Clock{cfg: cfg}
	wall, running := cfg.Now(), cfg.Running()
	seen, err := c.read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		cfg.Logger.Warn("when the folder was in use last is not known", "error", err)
	}
	c.mu.running = running
	if err == nil {
		c.mu.wall = seen.believed
	}
	if !Set(wall) {
		c.notSet(wall)
		return c
	}
	c.mu.wall = wall
	if by := wall.Sub(seen.believed) - seen.behind; err == nil && seen.behind > 0 && by > -jumpBack && by <= jumpStopped {
		c.hold(seen.behind, hold-seen.held)
	} else if err == nil {
		c.moved(wall.Sub(seen.believed), jumpStopped)
	}
	return c
}

// Now is the time to count ages by.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, running := c.cfg.Now(), c.cfg.Running()
	if !Set(wall) {
		c.notSet(wall)
		return wall // by which nothing is old
	}
	most := jumpRunning
	if c.mu.unset {
		c.mu.unset, most = false, jumpStopped
		c.cfg.Logger.Warn("the clock is set", "clock", wall)
	}
	if !c.mu.wall.IsZero() {
		by := wall.Sub(c.mu.wall) - (running - c.mu.running)
		c.mu.wall, c.mu.running = wall, running
		c.moved(by, most)
	}
	c.mu.wall, c.mu.running = wall, running
	if c.mu.behind > 0 && running >= c.mu.until {
		c.mu.behind = 0
		c.cfg.Logger.Warn("the clock is believed again: what is too old by it is deleted", "clock", wall)
	}
	believed := wall.Add(-c.mu.behind)
	if !c.mu.named || running-c.mu.kept >= keepEvery {
		c.mu.named, c.mu.kept = true, running
		c.write(believed)
	}
	return believed
}

// notSet waits for the clock to be set: what it told last is kept, in the file too. The caller holds mu, or is alone.
func (c *Clock) notSet(wall time.Time) {
	if c.mu.unset {
		return
	}
	c.mu.unset = true
	c.cfg.Logger.Error("the clock is not set: nothing is deleted for its age until it is; set it, or let the network do it", "folder", c.cfg.Dir, "clock", wall)
}

// moved takes in that the clock jumped by so much. The caller holds mu, or is alone.
func (c *Clock) moved(by, most time.Duration) {
	switch {
	case by > most:
		c.hold(c.mu.behind+by, hold)
	case by < -jumpBack && c.mu.behind > 0: // it has been set right
		c.mu.behind = max(0, c.mu.behind+by)
		c.cfg.Logger.Warn("the clock went back", "by", (-by).Round(time.Second), "clock", c.mu.wall)
	case by < -jumpBack:
		c.cfg.Logger.Error(fmt.Sprintf("the clock went back by %s: what was written since then counts as written now, and is deleted for its age later; if the clock is "+
			"wrong, set it", (-by).Round(time.Second)), "folder", c.cfg.Dir, "clock", c.mu.wall)
	}
}

// hold does not believe what the wall is ahead, for so long. The caller holds mu, or is alone.
func (c *Clock) hold(behind, left time.Duration) {
	c.mu.behind, c.mu.until = behind, c.mu.running+left
	c.cfg.Logger.Error(fmt.Sprintf("the clock is %s ahead of what the data folder last saw: nothing is deleted for its age until %s; if the clock is wrong, set it "+
		"before then, else there is nothing to do", behind.Round(time.Second), c.mu.wall.Add(left).Format(time.RFC3339)), "folder", c.cfg.Dir, "clock", c.mu.wall)
}

// sight is the file's content.
type sight struct {
	believed     time.Time
	behind, held time.Duration
}

func (s sight) String() string {
	line := s.believed.UTC().Format(time.RFC3339) + "\n"
	if s.behind > 0 {
		line += fmt.Sprintf("behind %s held %s\n", s.behind, s.held)
	}
	return line
}

func (c *Clock) read() (sight, error) {
	path := filepath.Join(c.cfg.Dir, file)
	data, err := disk.ReadFile(c.cfg.Disk, path)
	if err != nil {
		return sight{}, err
	}
	s, err := parseSight(string(data))
	if err != nil {
		return sight{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}

func parseSight(content string) (s sight, err error) {
	first, second, _ := strings.Cut(strings.TrimSpace(content), "\n")
	if s.believed, err = time.Parse(time.RFC3339, first); err != nil || second == "" {
		return s, err
	}
	fields := strings.Fields(second)
	if len(fields) != 4 || fields[0] != "behind" || fields[2] != "held" {
		return s, fmt.Errorf("%q is no hold", second)
	}
	if s.behind, err = time.ParseDuration(fields[1]); err == nil {
		s.held, err = time.ParseDuration(fields[3])
	}
	if err == nil && (s.behind <= 0 || s.held < 0 || s.held > hold) {
		err = fmt.Errorf("%q cannot be", second)
	}
	return s, err
}

// write keeps the time. On a full disk the old one stays.
func (c *Clock) write(t time.Time) {
	s := sight{believed: t, behind: c.mu.behind}
	if s.behind > 0 {
		s.held = max(0, hold-(c.mu.until-c.mu.running))
	}
	path := filepath.Join(c.cfg.Dir, file)
	f, err := c.cfg.Disk.Open(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return
	}
	_, err = f.WriteAt([]byte(s.String()), 0)
	if err = errors.Join(err, f.Close()); err == nil {
		err = c.cfg.Disk.Rename(path+".tmp", path)
	}
	if err != nil {
		_ = c.cfg.Disk.Remove(path + ".tmp")
	}
}
