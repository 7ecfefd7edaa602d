package topics

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/durable"
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
	if err := t.erase(manifest{Name: name, ID: topic.ID, Partitions: len(topic.Partitions())}); err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, err)
	}
	return nil
}

// erase marks a topic as deleted and removes its folders, the marked one last.
func (t *Topics) erase(m manifest) error {
	mark := filepath.Join(t.cfg.Dir, deletedPrefix+hex.EncodeToString(m.ID[:]))
	if err := os.Rename(filepath.Join(t.cfg.Dir, folder(m.Name, 0)), mark); err != nil {
		return err
	}
	if err := durable.SyncFolder(t.cfg.Dir); err != nil { // else a crash could bring back partition 0 without the others
		return err
	}
	return t.sweep(mark, m)
}

// sweep removes what is left of a topic that is marked as deleted. Folders of another topic with the same name,
// made since, have another id and stay.
func (t *Topics) sweep(mark string, m manifest) error {
	for i := int32(1); i < int32(m.Partitions); i++ {
		dir := filepath.Join(t.cfg.Dir, folder(m.Name, i))
		if readMetadata(dir) != m.ID {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := durable.SyncFolder(t.cfg.Dir); err != nil { // the mark may only go when the others are gone for good
		return err
	}
	// The manifest goes last, so that a sweep that is cut short is taken up again.
	entries, err := os.ReadDir(mark)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != manifestFile {
			if err := os.RemoveAll(filepath.Join(mark, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(mark)
}
