package discover

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// Events watches the folders of all Finders of a process through one fsnotify
// watcher. What it tells are hints: where the system has no watches left, or
// loses events, Finders are right all the same, a sweep later. Safe for
// concurrent use.
type Events struct {
	logger *slog.Logger
	deaf   atomic.Bool // some folder is not watched
	told   sync.Once   // the log line about it

	// change is held while a folder is added or removed, so that the watcher and
	// folders agree. It is taken before mu, and mu is never held over a call of the
	// watcher: that may wait until Run has taken an event.
	change sync.Mutex
	mu     struct {
		sync.Mutex
		watcher *fsnotify.Watcher           // nil unless Run runs
		folders map[string]map[*Finder]bool // who wants to hear of a real folder
		mute    map[string]bool             // of them, those on a filesystem that does not tell of every change
	}
}

// NewEvents makes an Events; Run makes it hear. logger nil discards.
func NewEvents(logger *slog.Logger) *Events {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	e := &Events{logger: logger}
	e.mu.folders, e.mu.mute = make(map[string]map[*Finder]bool), make(map[string]bool)
	return e
}

// Hears says whether events tell of the file with that real path: its folder is watched,
// and on a filesystem that tells of every change, wherever it is made.
func (e *Events) Hears(real string) bool {
	if e == nil {
		return false
	}
	folder := path.Dir(filepath.ToSlash(real))
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.folders[folder] != nil && !e.mu.mute[folder]
}

// Healthy says that every folder of every Finder is watched: idle files may then
// be looked at less often.
func (e *Events) Healthy() bool {
	if e == nil || e.deaf.Load() {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.watcher != nil
}

// Run hands out events until ctx ends. Without a watcher it only waits.
func (e *Events) Run(ctx context.Context) error {
	w, err := fsnotify.NewBufferedWatcher(1024)
	if err != nil {
		e.fallBack(err)
		<-ctx.Done()
		return nil
	}
	var starting sync.WaitGroup
	starting.Go(func() { e.start(w) })
	defer e.stop()
	defer starting.Wait()
	defer w.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-w.Events:
			if !ok {
				return nil
			}
			e.tell(ev)
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				e.logger.Debug("watching folders", "error", err)
			}
			e.tellAll()
		}
	}
}

// start watches what was asked for before there was a watcher.
func (e *Events) start(w *fsnotify.Watcher) {
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	folders := slices.Collect(maps.Keys(e.mu.folders))
	e.mu.Unlock()
	for _, folder := range folders {
		e.add(w, folder)
	}
	e.mu.Lock()
	e.mu.watcher = w
	e.mu.Unlock()
}

func (e *Events) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.watcher = nil
}

// watch asks for events in the real folder. Asking again watches it again, in
// case it has been replaced.
func (e *Events) watch(folder string, f *Finder) {
	if e == nil {
		return
	}
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	known := e.mu.folders[folder] != nil
	e.mu.Unlock()
	mute := !known && remote(folder) // no lock of hints is held: it may have to ask another host
	e.mu.Lock()
	if e.mu.folders[folder] == nil {
		e.mu.folders[folder] = make(map[*Finder]bool)
		if mute {
			e.mu.mute[folder] = true
		}
	}
	e.mu.folders[folder][f] = true
	w := e.mu.watcher
	e.mu.Unlock()
	if w != nil {
		e.add(w, folder)
	}
}

func (e *Events) add(w *fsnotify.Watcher, folder string) {
	err := w.Add(filepath.FromSlash(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fsnotify.ErrClosed) {
		e.fallBack(err)
	}
}

// unwatch ends what watch asked for.
func (e *Events) unwatch(folder string, f *Finder) {
	if e == nil {
		return
	}
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	delete(e.mu.folders[folder], f)
	last, w := len(e.mu.folders[folder]) == 0, e.mu.watcher
	if last {
		delete(e.mu.folders, folder)
		delete(e.mu.mute, folder)
	}
	e.mu.Unlock()
	if last && w != nil {
		_ = w.Remove(filepath.FromSlash(folder)) // it may be gone already
	}
}

// forget ends all that f asked for.
func (e *Events) forget(f *Finder) {
	if e == nil {
		return
	}
	e.mu.Lock()
	var folders []string
	for folder, who := range e.mu.folders {
		if who[f] {
			folders = append(folders, folder)
		}
	}
	e.mu.Unlock()
	for _, folder := range folders {
		e.unwatch(folder, f)
	}
}

// tell hands one event to those who want to hear of its folder.
func (e *Events) tell(ev fsnotify.Event) {
	name := filepath.ToSlash(ev.Name)
	folder := filepath.ToSlash(filepath.Dir(ev.Name))
	e.mu.Lock()
	who := make([]*Finder, 0, 4)
	for f := range e.mu.folders[folder] {
		who = append(who, f)
	}
	if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) { // of a watched folder itself
		for f := range e.mu.folders[name] {
			f.changed(name)
		}
	}
	e.mu.Unlock()
	for _, f := range who {
		f.hint(name)
		if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
			f.removed(name)
		}
		if ev.Has(fsnotify.Create) || ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
			f.changed(folder)
		}
	}
}

// tellAll says that events were lost.
func (e *Events) tellAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := make(map[*Finder]bool)
	for _, who := range e.mu.folders {
		for f := range who {
			if !told[f] {
				told[f] = true
				f.changed("")
			}
		}
	}
}

func (e *Events) fallBack(err error) {
	e.deaf.Store(true)
	e.told.Do(func() {
		e.logger.Warn("some folders are not watched for events; the sweep finds what changes in them, a second later"+
			" (more watches: sysctl fs.inotify.max_user_watches and max_user_instances)", "error", err)
	})
}
