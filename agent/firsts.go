package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// firsts remembers which inputs have been applied before, and for which topics: "start:
// end" holds only for the files that exist when an input is first applied
// (agent/DESIGN.md, rule 13), and one whose topic was edited goes on where it was.
type firsts struct {
	file string
	disk disk.FS
	log  *slog.Logger
	mu   struct {
		sync.Mutex
		topics map[string][]string // by input, the latest last
	}
}

// anyTopic stands for a topic that an older version did not write down.
const anyTopic = ""

func openFirsts(fsys disk.FS, file string, log *slog.Logger) (*firsts, error) {
	f := &firsts{file: file, disk: fsys, log: log}
	f.mu.topics = map[string][]string{}
	data, err := disk.ReadFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = f.read(data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which inputs were applied before: %w: remove %s, and inputs with start \"end\" begin at the end of their files again", err, file)
	}
	return f, nil
}

func (f *firsts) read(data []byte) error {
	var names []string // as an older version wrote it
	if json.Unmarshal(data, &names) == nil {
		for _, name := range names {
			f.mu.topics[name] = []string{anyTopic}
		}
		return nil
	}
	return json.Unmarshal(data, &f.mu.topics)
}

// claimed says whether the input has been applied before for the topic.
func (f *firsts) claimed(name, topic string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.mu.topics[name], topic) || slices.Contains(f.mu.topics[name], anyTopic)
}

// earlier are the topics that the input was applied for before, the latest first.
func (f *firsts) earlier(name, topic string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(f.mu.topics[name]), func(t string) bool { return t == topic || t == anyTopic })
	slices.Reverse(list)
	return list
}

// claim remembers that the input has been applied for the topic.
func (f *firsts) claim(name, topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	have := f.mu.topics[name]
	list := append(slices.DeleteFunc(slices.Clone(have), func(t string) bool { return t == topic || t == anyTopic }), topic)
	if list = list[max(0, len(list)-topicsMost):]; !slices.Equal(list, have) {
		f.mu.topics[name] = list
		f.save()
	}
}

// topicsMost bounds how many topics of one input are remembered.
const topicsMost = 8

// forget lets an input that was removed begin anew when it comes back.
func (f *firsts) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.mu.topics[name]; known {
		delete(f.mu.topics, name)
		f.save()
	}
}

// save replaces the file. What cannot be saved is told and claimed again after a
// restart, whose streams are then known by their journaled positions anyway.
func (f *firsts) save() {
	data, err := json.Marshal(f.mu.topics)
	if err == nil {
		err = durable.ReplaceOn(f.disk, f.file, data, 0o600)
	}
	if err != nil {
		f.log.Warn("which inputs were applied before is not saved: one with start \"end\" may begin at the end of its files again", "error", err)
	}
}
