package topics

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

const (
	manifestFile = "topic.properties"
	metadataFile = "partition.metadata" // Kafka's own
)

// manifest is what topic.properties holds:
//
//	#check 0a1b2c3d
//	version=1
//	name=web_log
//	id=wQ7Zf0mMSh2yyZ0zOJZ0uA
//	partitions=3
//	config.retention.ms=86400000
type manifest struct {
	Name       string
	ID         ID
	Partitions int
	Own        map[string]string
	adopted    *adoption // nil: it was read; not stored
}

func (m manifest) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version=1\nname=%s\nid=%s\npartitions=%d\n", m.Name, m.ID, m.Partitions)
	for _, k := range slices.Sorted(maps.Keys(m.Own)) {
		fmt.Fprintf(&b, "config.%s=%s\n", k, strconv.Quote(m.Own[k]))
	}
	return durable.Sign(b.Bytes())
}

// readManifest reads dir's topic.properties; os.ErrNotExist says that there is none.
func readManifest(fsys disk.FS, dir string) (manifest, error) {
	path := filepath.Join(dir, manifestFile)
	data, err := disk.ReadFile(fsys, path)
	if err != nil {
		return manifest{}, err
	}
	if data, err = durable.Unsign(data); err != nil { // that says the mend
		return manifest{}, fmt.Errorf("reading %s: %w", path, err)
	}
	m, err := parseManifest(data)
	if errors.Is(err, errNewer) {
		return m, fmt.Errorf("reading %s: %w", path, err)
	} else if err != nil {
		return m, fmt.Errorf("reading %s: it is damaged: %w: put back a copy, or remove it, and all of the topic is kept until you set for how long (loghaul topic alter)", path, err)
	}
	return m, nil
}

// errNewer refuses what a later version has written.
var errNewer = errors.New("it was written by a newer version of this program: start that one, or put back a copy of the folder from before it")

func parseManifest(data []byte) (manifest, error) {
	m := manifest{Own: map[string]string{}}
	var version string
	for line := range strings.Lines(string(data)) { // of any length: a list of replicas may be long
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		var err error
		switch {
		case key == "version":
			version = value
		case key == "name":
			m.Name = value
		case key == "id":
			m.ID, err = ParseID(value)
		case key == "partitions":
			m.Partitions, err = strconv.Atoi(value)
		case strings.HasPrefix(key, "config."):
			m.Own[strings.TrimPrefix(key, "config.")], err = strconv.Unquote(value)
		}
		if err != nil {
			return m, fmt.Errorf("%s: %w", key, err)
		}
	}
	if n, err := strconv.Atoi(version); err == nil && n > 1 {
		return m, fmt.Errorf("version is %d, this program reads version 1: %w", n, errNewer)
	} else if version != "1" {
		return m, fmt.Errorf("version is %q, this program reads version 1", version)
	}
	if err := CheckName(m.Name); err != nil {
		return m, err
	}
	if m.Partitions < 1 || m.Partitions > maxOfTopic || m.ID == (ID{}) {
		return m, fmt.Errorf("%d partitions and id %s cannot be", m.Partitions, m.ID)
	}
	return m, nil
}

func metadataContent(id ID) []byte { return fmt.Appendf(nil, "version: 0\ntopic_id: %s\n", id) }

// writeMetadata writes Kafka's own file with the topic's id into a partition's folder.
func writeMetadata(fsys disk.FS, dir string, id ID) error {
	return durable.ReplaceOn(fsys, filepath.Join(dir, metadataFile), metadataContent(id), 0o640)
}

// beginMetadata writes it into a new folder. Its name becomes durable with the log's own files; with later so do its
// bytes. A start that finds none of it, or half, writes it again.
func beginMetadata(fsys disk.FS, dir string, id ID, later bool) error {
	f, err := fsys.Open(filepath.Join(dir, metadataFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(metadataContent(id), 0)
	if err == nil && !later {
		err = f.Sync() // the folder must say whose it is before a record is in it
	}
	return errors.Join(err, f.Close())
}

// readMetadata reads it; a folder without one has the zero id.
func readMetadata(fsys disk.FS, dir string) ID {
	id, _ := readVersioned(fsys, dir)
	return id
}

// readVersioned also gives the version of the file; what is none is 0.
func readVersioned(fsys disk.FS, dir string) (id ID, version int) {
	data, err := disk.ReadFile(fsys, filepath.Join(dir, metadataFile))
	if err != nil {
		return ID{}, 0
	}
	for line := range strings.Lines(string(data)) {
		switch key, value, _ := strings.Cut(line, ":"); key {
		case "version":
			version, _ = strconv.Atoi(strings.TrimSpace(value))
		case "topic_id":
			if id == (ID{}) {
				id, _ = ParseID(value)
			}
		}
	}
	return id, version
}
