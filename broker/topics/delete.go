package topics

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/loghaul/loghaul/internal/disk"
)

// Delete removes a topic and frees its disk. When it returns the topic is durably gone.
func (t *Topics) Delete(name string) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	topic := t.Get(name)
	if topic == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	t.remove(topic)
	for _, p := range topic.Partitions() {
		p.Log.Abandon() // ends appends, waits and reads; what is not on the disk need not get there
	}
	m := manifest{Name: name, ID: topic.ID, Partitions: len(topic.Partitions()), Own: topic.Own()}
	if err := t.erase(m); err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, errors.Join(err, t.reopen(m)))
	}
	return nil
}

// reopen takes a topic back that could not be marked as deleted: the next start would find it too.
func (t *Topics) reopen(m manifest) error {
	if readMetadata(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(m.Name, 0))) != m.ID {
		return nil // it is marked: what is left of it goes at the next start
	}
	topic, err := t.openTopic(m)
	if err != nil {
		return fmt.Errorf("it is there still, and cannot be opened: %w", err)
	}
	t.add(topic)
	return nil
}

// erase marks a topic as deleted and removes its folders, the marked one last.
func (t *Topics) erase(m manifest) error {
	mark := filepath.Join(t.cfg.Dir, deletedPrefix+hex.EncodeToString(m.ID[:]))
	if err := t.cfg.Disk.Rename(filepath.Join(t.cfg.Dir, folder(m.Name, 0)), mark); err != nil {
		return err
	}
	if err := t.cfg.Disk.SyncDir(t.cfg.Dir); err != nil { // else a crash could bring back partition 0 without the others
		return err
	}
	return t.sweep(mark, m)
}

// sweep removes what is left of a topic that is marked as deleted. Folders of another topic with the same name,
// made since, have another id and stay. The others go into the marked one before anything in them is removed: a folder
// of which a power cut left a log and not whose it is would be taken for a topic.
func (t *Topics) sweep(mark string, m manifest) error {
	for i := int32(1); i < int32(m.Partitions); i++ {
		dir := filepath.Join(t.cfg.Dir, folder(m.Name, i))
		if readMetadata(t.cfg.Disk, dir) != m.ID {
			continue
		}
		to := filepath.Join(mark, strconv.Itoa(int(i)))
		err := disk.RemoveAll(t.cfg.Disk, to) // a power cut may leave both
		if err == nil {
			err = t.cfg.Disk.Rename(dir, to)
		}
		if err != nil {
			return err
		}
	}
	if err := t.cfg.Disk.SyncDir(t.cfg.Dir); err != nil { // the mark may only go when the others are gone for good
		return err
	}
	// The manifest goes last, so that a sweep that is cut short is taken up again.
	entries, err := t.cfg.Disk.ReadDir(mark)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != manifestFile {
			if err := disk.RemoveAll(t.cfg.Disk, filepath.Join(mark, e.Name())); err != nil {
				return err
			}
		}
	}
	return disk.RemoveAll(t.cfg.Disk, mark)
}
