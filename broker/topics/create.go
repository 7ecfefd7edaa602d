package topics

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

const (
	creatingPrefix = ".creating-"
	deletedPrefix  = ".deleted-"
	maxOfTopic     = 100_000 // so that a folder's name stays within the 255 bytes of file systems
)

// CheckCreate says whether Create would refuse, without making anything.
func (t *Topics) CheckCreate(name string, partitions int, own map[string]string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if partitions < 1 || partitions > maxOfTopic {
		return fmt.Errorf("%w: %d", ErrPartitions, partitions)
	}
	if err := CheckTopic(own); err != nil {
		return refused(ErrSetting, err)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.mu.byName[name] != nil {
		return refused(ErrExists, fmt.Errorf("Topic '%s' already exists.", name)) // Kafka's words
	}
	if other, ok := t.mu.collisions[collision(name)]; ok {
		return refused(ErrInvalidName, fmt.Errorf("Topic '%s' collides with existing topic: %s", name, other)) // Kafka's words
	}
	return t.roomLocked(partitions)
}

// CheckRoom says whether there is no room for so many more partitions.
func (t *Topics) CheckRoom(more int) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.roomLocked(more)
}

// roomLocked holds more partitions against the limit.
func (t *Topics) roomLocked(more int) error {
	if t.mu.closed {
		return errAlreadyClosed
	}
	if t.mu.partitions+more > t.cfg.MaxPartitions {
		return fmt.Errorf("%w: the broker keeps at most %d", ErrTooMany, t.cfg.MaxPartitions)
	}
	return nil
}

// Create makes a topic with its own settings, durable when it returns.
func (t *Topics) Create(name string, partitions int, own map[string]string) (*Topic, error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.CheckCreate(name, partitions, own); err != nil {
		return nil, err
	}
	m := manifest{Name: name, ID: NewID(), Partitions: partitions, Own: maps.Clone(own)}
	if err := t.writeTopic(m); err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", name, err)
	}
	topic, err := t.openTopic(m)
	if err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", name, errors.Join(err, t.erase(m)))
	}
	t.add(topic)
	return topic, nil
}

// writeTopic makes partition 0's folder with the manifest; when the rename is durable, the topic exists.
func (t *Topics) writeTopic(m manifest) error {
	final := filepath.Join(t.cfg.Dir, folder(m.Name, 0))
	tmp := filepath.Join(t.cfg.Dir, creatingPrefix+hex.EncodeToString(m.ID[:]))
	err := t.cfg.Disk.Mkdir(tmp, 0o750)
	if err == nil {
		err = beginMetadata(t.cfg.Disk, tmp, m.ID, false)
	}
	if err == nil {
		err = durable.ReplaceOn(t.cfg.Disk, filepath.Join(tmp, manifestFile), m.encode(), 0o640)
	}
	if err == nil {
		err = t.cfg.Disk.Rename(tmp, final)
	}
	if err != nil {
		_ = disk.RemoveAll(t.cfg.Disk, tmp)
		return err
	}
	if err := t.cfg.Disk.SyncDir(t.cfg.Dir); err != nil { // the topic is answered for
		return errors.Join(err, t.erase(m)) // or the next start would find one that nobody knows of
	}
	return nil
}

// openTopic opens a topic's partitions and makes the folders that are missing.
func (t *Topics) openTopic(m manifest) (*Topic, error) {
	topic := &Topic{Name: m.Name, ID: m.ID, foreign: m.adopted != nil}
	effective := t.cfg.Settings.effective(m.Own)
	topic.own.Store(&m.Own)
	topic.effective.Store(&effective)
	topic.partitions.Store(new([]*Partition))
	return topic, t.openPartitions(topic, 0, m.Partitions)
}

// Extend gives a topic more partitions, durable when it returns.
func (t *Topics) Extend(name string, partitions int) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	topic := t.Get(name)
	if topic == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	have := len(topic.Partitions())
	if err := t.CheckExtend(topic, partitions); err != nil {
		return err
	}
	m := manifest{Name: name, ID: topic.ID, Partitions: partitions, Own: topic.Own()}
	if err := durable.ReplaceOn(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(name, 0), manifestFile), m.encode(), 0o640); err != nil {
		return fmt.Errorf("extending topic %s: %w", name, err)
	}
	if err := t.openPartitions(topic, have, partitions); err != nil {
		return fmt.Errorf("extending topic %s, which the next start completes: %w", name, err)
	}
	t.mu.Lock()
	t.mu.partitions += partitions - have
	t.mu.Unlock()
	return nil
}

// CheckExtend says whether Extend would refuse, without making anything.
func (t *Topics) CheckExtend(topic *Topic, partitions int) error {
	have := len(topic.Partitions())
	if partitions <= have || partitions > maxOfTopic {
		return fmt.Errorf("%w: topic %s has %d partitions and can only get more, not %d", ErrPartitions, topic.Name, have, partitions)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.roomLocked(partitions - have)
}

// Internal returns one of the broker's own topics and makes it when it is not there.
func (t *Topics) Internal(name string, partitions int, own map[string]string) (*Topic, error) {
	if topic := t.Get(name); topic != nil {
		return topic, nil
	}
	topic, err := t.Create(name, partitions, own)
	if errors.Is(err, ErrExists) {
		return t.Get(name), nil
	}
	return topic, err
}

// isOurs says whether a folder is one of those that creating or deleting left behind.
func isOurs(name, prefix string) bool {
	id, ok := strings.CutPrefix(name, prefix)
	return ok && len(id) == 32
}
