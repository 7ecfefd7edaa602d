package topics

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/internal/durable"
)

const (
	manifestFile = "topic.properties"
	metadataFile = "partition.metadata" // Kafka's own
)

// manifest is what topic.properties holds:
//
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
}

func (m manifest) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version=1\nname=%s\nid=%s\npartitions=%d\n", m.Name, m.ID, m.Partitions)
	for _, k := range slices.Sorted(maps.Keys(m.Own)) {
		fmt.Fprintf(&b, "config.%s=%s\n", k, strconv.Quote(m.Own[k]))
	}
	return b.Bytes()
}

// readManifest reads dir's topic.properties; os.ErrNotExist says that there is none.
func readManifest(dir string) (manifest, error) {
	path := filepath.Join(dir, manifestFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return manifest{}, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return m, fmt.Errorf("reading %s: %w", path, err)
	}
	return m, nil
}

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
	if version != "1" {
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

// writeMetadata writes Kafka's own file with the topic's id into a partition's folder.
func writeMetadata(dir string, id ID) error {
	return durable.Replace(filepath.Join(dir, metadataFile), fmt.Appendf(nil, "version: 0\ntopic_id: %s\n", id), 0o640)
}

// readMetadata reads it; a folder without one has the zero id.
func readMetadata(dir string) ID {
	data, err := os.ReadFile(filepath.Join(dir, metadataFile))
	if err != nil {
		return ID{}
	}
	for line := range strings.Lines(string(data)) {
		if key, value, _ := strings.Cut(line, ":"); key == "topic_id" {
			id, _ := ParseID(value)
			return id
		}
	}
	return ID{}
}
