package topics

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/loghaul/loghaul/broker/kraft"
	"github.com/loghaul/loghaul/internal/disk"
)

const defaultMaxPartitions = 20_000

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
	cfg.Disk = disk.Or(cfg.Disk)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Topics{cfg: cfg, log: cfg.Logger, opening: make(chan struct{}, openAtATime()), doubts: make(chan doubt, mostDoubts)}
	t.mu.byName, t.mu.byID, t.mu.collisions = map[string]*Topic{}, map[ID]*Topic{}, map[string]string{}
	changed, err := readDynamic(cfg.Disk, cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Settings.layers.Store(newLayers(cfg.Settings.now().start, changed))
	if err := t.adoptSettings(); err != nil {
		return nil, err
	}
	names, err := t.repair()
	if err != nil {
		return nil, err
	}
	names, done, err := t.kafkaAgain(names)
	if err != nil {
		return nil, err
	}
	manifests, err := t.scan(names)
	if err != nil {
		return nil, err
	}
	if err = t.openAll(manifests); err == nil {
		err = done()
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// openAll opens the logs of all topics, several at a time.
func (t *Topics) openAll(manifests []manifest) error {
	logs := 0
	for _, m := range manifests {
		logs += m.Partitions
	}
	t.recheck = recheckShare(logs)
	t.starting = t.together(logs)
	var opening errgroup.Group
	opening.SetLimit(openAtATime())
	for _, m := range manifests {
		opening.Go(func() error {
			topic, err := t.openTopic(m)
			if err == nil && m.adopted != nil {
				err = t.finishAdoption(topic, m)
			}
			if err != nil {
				return fmt.Errorf("opening topic %s: %w", m.Name, err)
			}
			t.add(topic)
			return nil
		})
	}
	err := opening.Wait()
	if err == nil {
		err = t.starting.sync() // what was found counts as durable from here on
	}
	t.starting = nil
	return err
}

// repair removes what was being created when the broker died and finishes what was being deleted, then lists the
// folders that are left.
func (t *Topics) repair() ([]string, error) {
	entries, err := t.cfg.Disk.ReadDir(t.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	swept := false
	for _, e := range entries {
		path := filepath.Join(t.cfg.Dir, e.Name())
		switch {
		case !t.isFolder(e):
		case isOurs(e.Name(), creatingPrefix): // nobody was told that it exists
			err = disk.RemoveAll(t.cfg.Disk, path)
		case isOurs(e.Name(), deletedPrefix):
			err, swept = t.resumeDelete(path), true
		case e.Name() == kraft.Folder: // a Kafka's own, and no topic
		default:
			names = append(names, e.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("repairing %s: %w", path, err)
		}
	}
	if !swept {
		return names, nil
	}
	return slices.DeleteFunc(names, func(name string) bool { // the sweeps above removed some
		_, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, name))
		return errors.Is(err, os.ErrNotExist)
	}), nil
}

// isFolder says whether an entry of the data folder is a folder, or a link to one on another disk.
func (t *Topics) isFolder(e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, e.Name()))
	return err == nil && info.IsDir()
}

func (t *Topics) resumeDelete(mark string) error {
	m, err := readManifest(t.cfg.Disk, mark)
	if errors.Is(err, os.ErrNotExist) {
		return disk.RemoveAll(t.cfg.Disk, mark) // the very last step was left
	}
	if err != nil {
		return err
	}
	t.log.Info("finishing the deletion of a topic", "topic", m.Name, "id", m.ID.String())
	if err := t.cfg.Disk.SyncDir(t.cfg.Dir); err != nil { // who set the mark may have been killed before it was durable
		return err
	}
	return t.sweep(mark, m)
}

// scan finds the topics among the folders. A topic without topic.properties (Kafka's own data, or one put there by
// hand) is taken with the partitions that are there, and gets one.
func (t *Topics) scan(names []string) ([]manifest, error) {
	written, err := t.readManifests(names)
	if err != nil {
		return nil, err
	}
	found := map[string]manifest{}
	for _, name := range names {
		topic, i, ok := parseFolder(name)
		if !ok {
			t.warnFolder(name)
			continue
		}
		m, known := found[topic]
		if !known {
			m = t.extended(topic, written[topic])
		}
		switch dir := filepath.Join(t.cfg.Dir, name); {
		case m.Name == "": // adopted below
			id := readMetadata(t.cfg.Disk, dir)
			if id == (ID{}) && !t.holdsLog(dir) { // holiday-2024
				t.warnFolder(name)
				continue
			}
			m.Partitions, m.ID = max(m.Partitions, int(i)+1), cmp.Or(m.ID, id)
		case m.Name != topic: // a copy by hand: opened, it would be the other topic's log a second time
			t.warnFolder(name)
			continue
		case int(i) >= m.Partitions: // web_log-20240131: the manifest is written before the folders
			t.log.Warn("folder is beyond the topic's partitions and was left alone", "folder", dir, "topic", topic, "partitions", m.Partitions)
			continue
		}
		found[topic] = m
	}
	if err := t.adopt(found); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b manifest) int { return strings.Compare(a.Name, b.Name) }), nil
}

// readManifests reads topic.properties of every topic that the folders are of, several at a time. A topic without one
// has a manifest without a name.
func (t *Topics) readManifests(names []string) (map[string]manifest, error) {
	written := map[string]manifest{}
	for _, name := range names {
		if topic, _, ok := parseFolder(name); ok {
			written[topic] = manifest{}
		}
	}
	topics := slices.Sorted(maps.Keys(written))
	read := make([]manifest, len(topics))
	var reading errgroup.Group
	reading.SetLimit(openAtATime())
	for i, topic := range topics {
		reading.Go(func() (err error) {
			read[i], err = readManifest(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(topic, 0)))
			if errors.Is(err, os.ErrNotExist) {
				read[i], err = manifest{Own: map[string]string{}}, nil
			}
			return err
		})
	}
	err := reading.Wait()
	for i, topic := range topics {
		written[topic] = read[i]
	}
	return written, err
}

// holdsLog says whether there is a segment in a folder.
func (t *Topics) holdsLog(dir string) bool {
	entries, err := t.cfg.Disk.ReadDir(dir)
	return err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { // what cannot be read is told when it is opened
		digits, ok := strings.CutSuffix(e.Name(), ".log")
		return ok && len(digits) == 20 && strings.Trim(digits, "0123456789") == ""
	})
}

// warnFolder tells of a folder that is not taken for a partition's, and why where that can be seen.
func (t *Topics) warnFolder(name string) {
	if strings.HasPrefix(name, ".") || name == "lost+found" || name == "security" { // users and access control lie in the last
		return
	}
	why := "folder is no partition and was left alone"
	switch {
	case strings.HasSuffix(name, "-delete"):
		why = "folder is of a partition that a Kafka was deleting and was left alone: remove it to have its space"
	case strings.HasSuffix(name, "-stray"):
		why = "folder was put aside by a Kafka that did not know its topic and was left alone: rename it to TOPIC-PARTITION while the broker is stopped to have its records, or remove it to have its space"
	}
	t.log.Warn(why, "folder", filepath.Join(t.cfg.Dir, name))
}
