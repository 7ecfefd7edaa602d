package topics

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/kraft"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
	"github.com/loghaul/loghaul/internal/record"
)

// A Kafka may be started again in a folder that was taken over from it. It appends under leader epochs of its own,
// compacts, deletes, makes topics and partitions, and puts aside the topics that were made here, which its metadata does
// not know. What this broker remembers of the logs is false then: a recovery point would have a compacted log cut. So the
// state in which the Kafka's own files were left is kept in a file, and where it is another one, every log is taken over
// anew, as at the first time. Each step can be done twice; the file is written when all is done.

// kafkaFile says how the Kafka's files were when this broker looked last:
//
//	#check 0a1b2c3d
//	metadata=0a1b2c3d      CRC32C of names and sizes of what the controller wrote; it writes as long as it runs
//	checkpoints=0a1b2c3d   CRC32C of the files in which a broker notes how far its logs are
const kafkaFile = "kafka-files.properties"

// kafkaCheckpoints are written again and again by a Kafka that runs, of any age.
var kafkaCheckpoints = []string{"recovery-point-offset-checkpoint", "replication-offset-checkpoint"}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// kafkaState is the state of a Kafka's own files; "" where there are none.
type kafkaState struct{ metadata, checkpoints string }

// lookAtKafka reads the state as it is.
func lookAtKafka(fsys disk.FS, dir string) (kafkaState, error) {
	var s kafkaState
	entries, err := fsys.ReadDir(filepath.Join(dir, kraft.Folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("looking whether a Kafka was here: %w", err)
	}
	var seen bytes.Buffer
	for _, e := range entries {
		if e.IsDir() || !strings.HasPrefix(e.Name(), "0") { // segments and snapshots
			continue
		}
		info, err := e.Info()
		if err != nil {
			return s, fmt.Errorf("looking whether a Kafka was here: %w", err)
		}
		fmt.Fprintln(&seen, e.Name(), info.Size())
	}
	s.metadata = sumOf(seen.Bytes())
	seen.Reset()
	for _, name := range kafkaCheckpoints {
		content, err := disk.ReadFile(fsys, filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, fmt.Errorf("looking whether a Kafka was here: %w", err)
		}
		seen.Write(content)
	}
	s.checkpoints = sumOf(seen.Bytes())
	return s, nil
}

func sumOf(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli))
}

// notedKafka reads the file; the zero state when there is none, or a damaged one, which costs a look at every log.
func notedKafka(fsys disk.FS, dir string) (s kafkaState, err error) {
	content, err := disk.ReadFile(fsys, filepath.Join(dir, kafkaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	} else if err != nil { // what the logs know of themselves is not given up for a disk that fails
		return s, fmt.Errorf("looking whether a Kafka was here: %w", err)
	}
	if content, err = durable.Unsign(content); err != nil {
		return s, nil
	}
	for line := range strings.Lines(string(content)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "metadata":
			s.metadata = value
		case "checkpoints":
			s.checkpoints = value
		}
	}
	return s, nil
}

// ranSince says whether a Kafka ran since this broker noted how it had left the folder. What is gone was moved away by
// somebody.
func (s kafkaState) ranSince(fsys disk.FS, dir string) (bool, error) {
	if s == (kafkaState{}) { // there has never been one
		return false, nil
	}
	noted, err := notedKafka(fsys, dir)
	return err == nil && (s.metadata != "" && s.metadata != noted.metadata || s.checkpoints != "" && s.checkpoints != noted.checkpoints), err
}

// KafkaWasHere says whether a Kafka ran in a data folder since this broker noted how it had left it. It stays so until
// Open has taken the folder over again.
func KafkaWasHere(fsys disk.FS, dir string) (bool, error) {
	now, err := lookAtKafka(fsys, dir)
	if err != nil {
		return false, err
	}
	return now.ranSince(fsys, dir)
}

// noteKafka writes the state down, durable when it returns: from here on the logs are this broker's.
func (t *Topics) noteKafka(s kafkaState) error {
	content := fmt.Appendf(nil, "metadata=%s\ncheckpoints=%s\n", s.metadata, s.checkpoints)
	if err := durable.ReplaceOn(t.cfg.Disk, filepath.Join(t.cfg.Dir, kafkaFile), durable.Sign(content), 0o640); err != nil {
		return fmt.Errorf("noting how a Kafka left the data folder: %w", err)
	}
	return nil
}

// kafkaAgain sees whether a Kafka ran here since this broker did, and makes ready that all is taken over anew. It returns
// the folders that there are then, and what is to be called when every log is open.
func (t *Topics) kafkaAgain(names []string) (left []string, done func() error, err error) {
	now, err := lookAtKafka(t.cfg.Disk, t.cfg.Dir)
	ran := false
	if err == nil {
		ran, err = now.ranSince(t.cfg.Disk, t.cfg.Dir)
	}
	if err != nil || !ran {
		return names, func() error { return nil }, err
	}
	if !t.anyManifest(names) { // for the first time: adopt goes by topics without a manifest, and can be cut short
		return names, func() error { return nil }, t.noteKafka(now)
	}
	t.log.Warn("a Kafka ran in this data folder since this broker did: every log is checked and taken over anew", "data", t.cfg.Dir)
	if err := t.unmark(); err != nil {
		return nil, nil, err
	}
	if names, err = t.takeBack(names); err != nil {
		return nil, nil, err
	}
	if err := t.forget(names); err != nil {
		return nil, nil, fmt.Errorf("taking over what a Kafka did in %s: %w", t.cfg.Dir, err)
	}
	t.again = true
	return names, func() error { return t.noteKafka(now) }, nil
}

// anyManifest says whether a topic here was this broker's already.
func (t *Topics) anyManifest(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, name, manifestFile))
		return err == nil
	})
}

// forget gives up what is known of the logs but for where they begin, which goes into Kafka's own file about that.
func (t *Topics) forget(names []string) error {
	starts, err := readStarts(t.cfg.Disk, t.cfg.Dir)
	if err != nil {
		return err
	}
	if starts == nil {
		starts = map[string]map[int32]record.Offset{}
	}
	changed := false
	for _, name := range names {
		topic, i, ok := parseFolder(name)
		if !ok {
			continue
		}
		start, err := commitlog.KnownStart(t.cfg.Disk, filepath.Join(t.cfg.Dir, name))
		if err != nil {
			return err
		}
		if start <= starts[topic][i] {
			continue
		}
		if starts[topic] == nil {
			starts[topic] = map[int32]record.Offset{}
		}
		starts[topic][i], changed = start, true
	}
	if changed { // durable before the points that say the same are gone
		if err := durable.ReplaceOn(t.cfg.Disk, filepath.Join(t.cfg.Dir, startsFile), encodeStarts(starts), 0o640); err != nil {
			return err
		}
	}
	for _, name := range names {
		if _, _, ok := parseFolder(name); !ok {
			continue
		}
		if err := commitlog.Forget(t.cfg.Disk, filepath.Join(t.cfg.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// encodeStarts writes what parseStarts reads.
func encodeStarts(starts map[string]map[int32]record.Offset) []byte {
	var lines bytes.Buffer
	n := 0
	for _, topic := range slices.Sorted(maps.Keys(starts)) {
		for _, i := range slices.Sorted(maps.Keys(starts[topic])) {
			fmt.Fprintln(&lines, topic, i, int64(starts[topic][i]))
			n++
		}
	}
	return append(fmt.Appendf(nil, "0\n%d\n", n), lines.Bytes()...)
}

// adoptAgain has topics that were this broker's before a Kafka ran be opened as that one's.
func (t *Topics) adoptAgain(found map[string]manifest) error {
	starts, err := readStarts(t.cfg.Disk, t.cfg.Dir)
	if err != nil {
		return err
	}
	kafka, err := kraft.Read(t.cfg.Disk, t.cfg.Dir)
	if err != nil {
		t.log.Warn("what the Kafka changed of topics' settings is not known", "error", err)
	}
	var other []string
	for name, m := range found {
		if m.Name == "" {
			continue // adopt takes it as at the first time
		}
		m.adopted = &adoption{starts: starts[name]}
		found[name] = m
		if kafka != nil && ID(kafka.Topics[name].ID) == m.ID && !IsInternal(name) && !maps.Equal(kafka.Topics[name].Settings, m.Own) {
			other = append(other, name)
		}
	}
	if len(other) > 0 {
		slices.Sort(other)
		t.log.Warn("these topics have other settings in the Kafka than here, and those from here count: change them with loghaul topic alter, if they should not",
			"topics", strings.Join(other, ", "))
	}
	return nil
}

// extended counts in the partitions that a Kafka gave a topic of this broker's. It leaves none out: a folder behind a gap is a
// copy that somebody made, as web_log-20240131, of which no partition's number says anything.
func (t *Topics) extended(topic string, m manifest) manifest {
	for t.again && m.Name == topic && m.Partitions < maxOfTopic && readMetadata(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(topic, int32(m.Partitions)))) == m.ID {
		m.Partitions++
	}
	return m
}

// putAside is a topic that a Kafka put aside. There may be several of one name, of which no two have the same id.
type putAside struct {
	name string
	id   ID
}

// takeBack gives topics that were made here their names back: a Kafka puts aside what its metadata does not know, as
// TOPIC-PARTITION.UUID-stray. Partition 0 comes last, because with it the topic is there.
func (t *Topics) takeBack(names []string) ([]string, error) {
	strays := map[putAside]map[int32]string{} // folders by partition
	var order []putAside
	for _, name := range names {
		plain, stray := strings.CutSuffix(name, "-stray")
		dot := strings.LastIndexByte(plain, '.') // topics may have dots
		if !stray || dot < 0 {
			continue
		}
		topic, i, ok := parseFolder(plain[:dot])
		if !ok {
			continue
		}
		at := putAside{topic, readMetadata(t.cfg.Disk, filepath.Join(t.cfg.Dir, name))}
		if strays[at] == nil {
			strays[at] = map[int32]string{}
			order = append(order, at)
		}
		strays[at][i] = name
	}
	for _, at := range order {
		back, err := t.takeTopicBack(at, strays[at])
		if err != nil {
			return nil, fmt.Errorf("taking back topic %s, which a Kafka put aside: %w", at.name, err)
		}
		for stray, plain := range back {
			names[slices.Index(names, stray)] = plain
		}
	}
	return names, nil
}

// takeTopicBack renames the folders of one topic if they are this broker's, and says to what.
func (t *Topics) takeTopicBack(topic putAside, strays map[int32]string) (back map[string]string, err error) {
	first, ok := strays[0]
	if !ok {
		return nil, nil
	}
	m, err := readManifest(t.cfg.Disk, filepath.Join(t.cfg.Dir, first))
	if errors.Is(err, fs.ErrNotExist) || err == nil && (m.Name != topic.name || m.ID != topic.id) {
		return nil, nil // the Kafka's own
	} else if err != nil {
		return nil, err
	}
	if _, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, folder(topic.name, 0))); err == nil {
		if !IsInternal(topic.name) { // the Kafka's groups and transactions are the newer ones
			t.log.Warn("a topic that was made here was put aside by a Kafka, and there is another one of its name: move the folders away, or delete the topic and "+
				"rename the folders to TOPIC-PARTITION while the broker is stopped", "topic", topic.name, "folder", filepath.Join(t.cfg.Dir, first))
		}
		return nil, nil
	}
	back = map[string]string{}
	for _, i := range slices.Backward(slices.Sorted(maps.Keys(strays))) {
		if i == 0 { // durable before, or a power cut leaves the topic there without a partition
			if err := t.cfg.Disk.SyncDir(t.cfg.Dir); err != nil {
				return nil, err
			}
		}
		plain := folder(topic.name, i)
		if err := t.cfg.Disk.Rename(filepath.Join(t.cfg.Dir, strays[i]), filepath.Join(t.cfg.Dir, plain)); err != nil {
			return nil, err
		}
		back[strays[i]] = plain
	}
	t.log.Warn("took back a topic that was made here and that a Kafka had put aside", "topic", topic.name, "partitions", len(back))
	return back, t.cfg.Disk.SyncDir(t.cfg.Dir) // before a log in it is changed
}
