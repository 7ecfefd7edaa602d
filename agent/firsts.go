package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/loghaul/loghaul/internal/durable"
)

// firsts remembers which inputs have been applied before: "start: end" holds only for
// the files that exist when an input is first applied (agent/DESIGN.md, rule 13).
type firsts struct {
	file string
	log  *slog.Logger
	mu   struct {
		sync.Mutex
		names []string
	}
}

func openFirsts(file string, log *slog.Logger) (*firsts, error) {
	f := &firsts{file: file, log: log}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &f.mu.names)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which inputs were applied before: %w: remove %s, and inputs with start \"end\" begin at the end of their files again", err, file)
	}
	return f, nil
}

// claimed says whether the input has been applied before.
func (f *firsts) claimed(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.mu.names, name)
}

// claim remembers that the input has been applied.
func (f *firsts) claim(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.mu.names, name) {
		f.mu.names = append(f.mu.names, name)
		f.save()
	}
}

// forget lets an input that was removed begin anew when it comes back.
func (f *firsts) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.mu.names, name); i >= 0 {
		f.mu.names = slices.Delete(f.mu.names, i, i+1)
		f.save()
	}
}

// save replaces the file. What cannot be saved is told and claimed again after a
// restart, whose streams are then known by their journaled positions anyway.
func (f *firsts) save() {
	data, err := json.Marshal(f.mu.names)
	if err == nil {
		err = durable.Replace(f.file, data, 0o600)
	}
	if err != nil {
		f.log.Warn("which inputs were applied before is not saved: one with start \"end\" may begin at the end of its files again", "error", err)
	}
}
