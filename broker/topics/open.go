package topics

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/loghaul/loghaul/internal/durable"
)

const (
	defaultMaxPartitions = 20_000
	openAtATime          = 8 // topics; after a crash each log reads its tail again
)

// Open finds the topics under cfg.Dir, finishes what a crash left half made or half deleted, and opens every log.
// It starts nothing: Run, then Close.
func Open(cfg Config) (*Topics, error) {
	if cfg.Settings == nil {
		cfg.Settings = &Settings{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxPartitions == 0 {
		cfg.MaxPartitions = defaultMaxPartitions
	}
	t := &Topics{cfg: cfg, log: cfg.Logger}
	t.mu.byName, t.mu.byID, t.mu.collisions = map[string]*Topic{}, map[ID]*Topic{}, map[string]string{}
	changed, err := readDynamic(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Settings.layers.Store(newLayers(cfg.Settings.now().start, changed))
	names, err := t.repair()
	if err != nil {
		return nil, err
	}
	manifests, err := t.scan(names)
	if err != nil {
		return nil, err
	}
	var opening errgroup.Group
	opening.SetLimit(openAtATime)
	for _, m := range manifests {
		opening.Go(func() error {
			topic, err := t.openTopic(m)
			if err != nil {
				return fmt.Errorf("opening topic %s: %w", m.Name, err)
			}
			t.add(topic)
			return nil
		})
	}
	if err := opening.Wait(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// repair removes what was being created when the broker died and finishes what was being deleted, then lists the
// folders that are left.
func (t *Topics) repair() ([]string, error) {
	entries, err := os.ReadDir(t.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		path := filepath.Join(t.cfg.Dir, e.Name())
		switch {
		case !e.IsDir():
		case isOurs(e.Name(), creatingPrefix): // nobody was told that it exists
			err = os.RemoveAll(path)
		case isOurs(e.Name(), deletedPrefix):
			err = t.resumeDelete(path)
		default:
			names = append(names, e.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("repairing %s: %w", path, err)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { // the sweeps above removed some
		_, err := os.Stat(filepath.Join(t.cfg.Dir, name))
		return errors.Is(err, os.ErrNotExist)
	}), nil
}

func (t *Topics) resumeDelete(mark string) error {
	m, err := readManifest(mark)
	if errors.Is(err, os.ErrNotExist) {
		return os.RemoveAll(mark) // the very last step was left
	}
	if err != nil {
		return err
	}
	t.log.Info("finishing the deletion of a topic", "topic", m.Name, "id", m.ID.String())
	return t.sweep(mark, m)
}

// scan finds the topics among the folders. A topic without topic.properties (Kafka's own data, or one put there by
// hand) is taken with the partitions that are there, and gets one.
func (t *Topics) scan(names []string) ([]manifest, error) {
	found := map[string]manifest{}
	for _, name := range names {
		topic, i, ok := parseFolder(name)
		if !ok {
			t.warnFolder(name)
			continue
		}
		m, known := found[topic]
		if !known {
			var err error
			m, err = readManifest(filepath.Join(t.cfg.Dir, folder(topic, 0)))
			if errors.Is(err, os.ErrNotExist) {
				m = manifest{Own: map[string]string{}} // Name stays empty: adopted below
			} else if err != nil {
				return nil, err
			} else if m.Name != topic { // a copy by hand: opened, it would be the other topic's log a second time
				t.warnFolder(name)
				continue
			}
		}
		if m.Name == "" || int(i) >= m.Partitions {
			m.Partitions = max(m.Partitions, int(i)+1)
			if id := readMetadata(filepath.Join(t.cfg.Dir, name)); m.ID == (ID{}) {
				m.ID = id
			}
		}
		found[topic] = m
	}
	for topic, m := range found {
		if m.Name == "" {
			if err := t.adopt(topic, &m); err != nil {
				return nil, fmt.Errorf("adopting topic %s: %w", topic, err)
			}
			found[topic] = m
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b manifest) int { return strings.Compare(a.Name, b.Name) }), nil
}

// adopt writes the topic.properties that a topic lacks.
func (t *Topics) adopt(name string, m *manifest) error {
	if m.Name = name; m.ID == (ID{}) {
		m.ID = NewID()
	}
	t.log.Warn("took over a topic without "+manifestFile, "topic", name, "partitions", m.Partitions)
	dir := filepath.Join(t.cfg.Dir, folder(name, 0))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, manifestFile), m.encode(), 0o640)
}

func (t *Topics) warnFolder(name string) {
	if !strings.HasPrefix(name, ".") && name != "lost+found" && name != "security" { // users and access control lie there
		t.log.Warn("folder is no partition and was left alone", "folder", filepath.Join(t.cfg.Dir, name))
	}
}
