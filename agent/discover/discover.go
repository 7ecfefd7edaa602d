// Package discover turns path patterns into the set of files to follow and says
// when the set changes: events are hints that make it quick, a sweep of the
// folders makes it true.
package discover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what a Finder looks for and where it may look.
type Config struct {
	Include  []string          // absolute patterns; ** crosses folders, {a,b} are choices
	Exclude  []string          // a pattern without a slash is about the last name
	Access   *Access           // what may be read; nil: everything
	Interval time.Duration     // between two sweeps; default 1 s, and up to 10 s where a sweep takes more than 2 % of it, 0.25 % with events
	MaxFiles int               // most files of a Set, and most folders walked; default 200,000
	Events   *Events           // shared by the Finders of a process; nil: the sweep alone
	Hint     func(path string) // a file of the Set was written or renamed; called from Events.Run, must not block; nil: not wanted
	Removed  func(name string) // a file in a watched folder lost its name; as Hint, by its Path if it is of the Set, else by its real name
	Logger   *slog.Logger      // nil discards
}

// Validate lists every complaint about c; zero values mean the defaults.
func (c Config) Validate() error {
	_, _, err := c.compile()
	errs := []error{err}
	if len(c.Include) == 0 {
		errs = append(errs, errors.New("Include (empty) must name the files to follow"))
	}
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("Interval (%v) must be positive", c.Interval))
	}
	if c.MaxFiles < 0 {
		errs = append(errs, fmt.Errorf("MaxFiles (%d) must be positive", c.MaxFiles))
	}
	return errors.Join(errs...)
}

// compile takes the patterns apart; its error names all bad ones.
func (c Config) compile() (include, exclude []pattern, err error) {
	var errs []error
	for _, text := range c.Include {
		p, err := compile(text, false)
		include, errs = append(include, p), append(errs, err)
	}
	for _, text := range c.Exclude {
		p, err := compile(text, true)
		exclude, errs = append(exclude, p), append(errs, err)
	}
	return include, exclude, errors.Join(errs...)
}

// File is one file to follow.
type File struct {
	Path string // the name that matched
	Real string // the same after symlinks
	Why  string // the pattern that matched
}

// Set is all that the patterns match at one time. It is shared: read only.
type Set struct {
	Files   map[string]*File  // by Path
	Same    map[string]string // second names of files in Files (hard links, symlinks), and their Path there
	Refused map[string]error  // files, folders and patterns that are not followed, and why
}

// Finder keeps the Set of its patterns.
type Finder struct {
	cfg     Config
	include []pattern
	exclude []pattern

	tree *tree
	told atomic.Pointer[told]
	wake chan struct{} // capacity 1: dirty is not empty
	mu   struct {
		sync.Mutex
		dirty map[string]bool // real folders that events spoke of
		all   bool            // events were lost
	}
}

// New makes a Finder. It touches nothing before Run or Once; its error names the
// bad pattern.
func New(cfg Config) (*Finder, error) {
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.MaxFiles == 0 {
		cfg.MaxFiles = 200_000
	}
	if cfg.Access == nil {
		cfg.Access = &Access{Roots: []string{"/"}}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f := &Finder{cfg: cfg, wake: make(chan struct{}, 1)}
	f.mu.dirty = make(map[string]bool)
	f.include, f.exclude, _ = cfg.compile()
	f.tree = newTree(f)
	return f, nil
}

// Matches says whether a file of that name, which need not be there, belongs to what
// the patterns ask for.
func (f *Finder) Matches(name string) bool {
	name = filepath.ToSlash(name)
	about := func(p pattern) bool { return p.matches(name) }
	return slices.ContainsFunc(f.include, about) && !slices.ContainsFunc(f.exclude, about)
}

// Once looks once and gives the Set as it is. Not together with Run.
func (f *Finder) Once() Set {
	f.tree.sweep(context.Background())
	return f.tree.set()
}

// Run calls apply with the first Set, even an empty one, and again after each
// change, until ctx ends. It watches folders through Config.Events and sweeps them
// each Interval whatever the events say.
func (f *Finder) Run(ctx context.Context, apply func(Set)) error {
	defer f.cfg.Events.forget(f)
	defer func() { f.tree = newTree(f) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last *Set
	for {
		changed := false
		var pause time.Duration
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			began := time.Now()
			changed = f.tree.sweep(ctx)
			timer.Reset(max(f.cfg.Interval, min(f.share()*time.Since(began), 10*time.Second)))
		case <-f.wake:
			began := time.Now()
			changed = f.tree.touch(ctx, f.takeDirty())
			pause = max(5*time.Millisecond, 10*time.Since(began))
		}
		if ctx.Err() != nil {
			return nil
		}
		if changed || last == nil {
			set := f.tree.set()
			if last == nil || !equal(*last, set) {
				f.publish(set)
				apply(set)
			}
			last = &set
		}
		if pause > 0 { // a folder that changes without end is not listed without end
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
	}
}

// share is the part of the time that sweeps may take, one of so many: events do most of
// the work where they tell of everything.
func (f *Finder) share() time.Duration {
	if f.cfg.Events.Healthy() {
		return 400
	}
	return 50
}

// told is the last Set as events are held against it.
type told struct {
	files map[string]*File
	links map[string]string // Real to Path, where they differ
}

// publish makes the set known to hint.
func (f *Finder) publish(set Set) {
	t := &told{files: set.Files, links: make(map[string]string)}
	for path, file := range set.Files {
		if file.Real != path {
			t.links[file.Real] = path
		}
	}
	f.told.Store(t)
}

// of is the path of the Set that leads to the file with that real path.
func (t *told) of(real string) (path string, ok bool) {
	if t == nil {
		return "", false
	}
	if path, ok = t.links[real]; ok {
		return path, true
	}
	file := t.files[real]
	return real, file != nil && file.Real == real
}

// hint hands on that the file with that real path has been written.
func (f *Finder) hint(real string) {
	if f.cfg.Hint == nil {
		return
	}
	if path, ok := f.told.Load().of(real); ok {
		f.cfg.Hint(path)
	}
}

// removed hands on that a real name is gone.
func (f *Finder) removed(real string) {
	if f.cfg.Removed == nil {
		return
	}
	if path, ok := f.told.Load().of(real); ok {
		real = path
	}
	f.cfg.Removed(filepath.FromSlash(real))
}

// changed takes note that something appeared or vanished in the real folder; an
// empty name means that events were lost.
func (f *Finder) changed(folder string) {
	f.mu.Lock()
	if folder == "" {
		f.mu.all = true
	} else {
		f.mu.dirty[folder] = true
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// takeDirty gives the folders that events spoke of; nil means all.
func (f *Finder) takeDirty() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	dirty, all := f.mu.dirty, f.mu.all
	f.mu.dirty, f.mu.all = make(map[string]bool), false
	if all {
		return nil
	}
	return dirty
}

func equal(a, b Set) bool {
	return maps.EqualFunc(a.Files, b.Files, func(x, y *File) bool { return *x == *y }) && maps.Equal(a.Same, b.Same) &&
		maps.EqualFunc(a.Refused, b.Refused, func(x, y error) bool { return x.Error() == y.Error() })
}

// CheckPattern says what is wrong with a pattern of Include.
func CheckPattern(text string) error {
	_, err := compile(text, false)
	return err
}

// CheckExclude says what is wrong with a pattern of Exclude.
func CheckExclude(text string) error {
	_, err := compile(text, true)
	return err
}

func quote(err error, text string) error { return fmt.Errorf("pattern %q: %w", text, err) }
