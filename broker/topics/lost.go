package topics

import (
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/kraft"
)

// isOwn says whether a topic without topic.properties is one of this broker's that has lost the file: a partition of it
// was kept here, and no Kafka knows of it, whose take-over may only have been cut short. stopped says that a Kafka ran
// here last.
func (t *Topics) isOwn(name string, m manifest, kafka *kraft.Metadata, stopped bool) bool {
	if stopped || m.adopted.starts != nil {
		return false
	}
	if kafka != nil {
		if _, there := kafka.Topics[name]; there {
			return false
		}
	}
	for i := range int32(m.Partitions) {
		if commitlog.Kept(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(name, i))) {
			return true
		}
	}
	return false
}

// restore fills the manifest of a topic that has lost it: what its owner wanted to keep must not be gone before he could
// say so.
func (t *Topics) restore(name string, m *manifest) {
	m.Name = name
	attrs := []any{"topic", name, "file", filepath.Join(t.cfg.Dir, folder(name, 0), manifestFile), "partitions", m.Partitions}
	if missing := t.missing(name, m.Partitions); len(missing) > 0 {
		attrs = append(attrs, "partitions whose folders are gone too and begin empty", strings.Join(missing, ", "))
	}
	if m.ID == (ID{}) {
		m.ID = NewID()
	}
	if IsInternal(name) {
		m.Own = maps.Clone(internalSettings)
		t.log.Warn("the topic had lost its "+manifestFile+", which was made anew", attrs...)
		return
	}
	maps.Copy(m.Own, keepAll)
	t.log.Error("the topic has lost its "+manifestFile+", so its settings and how many partitions it had are not known: stop the broker and put back a copy of the file, "+
		"or set them anew (loghaul topic alter); until then retention.ms=-1 and retention.bytes=-1 keep all of it", attrs...)
}

// missing are the partitions that have no folder.
func (t *Topics) missing(name string, partitions int) []string {
	var missing []string
	for i := range int32(partitions) {
		if _, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, folder(name, i))); err != nil {
			missing = append(missing, strconv.Itoa(int(i)))
		}
	}
	return missing
}
