package topics

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/broker/kraft"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
	"github.com/loghaul/loghaul/internal/record"
)

// A topic without topic.properties is a Kafka's, or was put there by hand. Its settings lie in the metadata of the
// Kafka's controller, the starts of its logs in a file beside the folders. The manifest is written last, so that a
// start that is cut short takes the topic over once more.

// startsFile is Kafka's: the first offset that may be read in each partition, where that is not the first stored.
const startsFile = "log-start-offset-checkpoint"

// cleanFile is Kafka's too.
const cleanFile = ".kafka_cleanshutdown"

// keepAll is how a topic is kept whose settings are not known: what its owner wanted to keep for longer than the
// broker's default must not be gone before he could say so.
var keepAll = map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}

// internalSettings are what the broker's own topics are kept with.
var internalSettings = map[string]string{"cleanup.policy": "compact", "segment.bytes": "8388608"}

// adoption is what is known of a topic that is being taken over.
type adoption struct {
	starts map[int32]record.Offset
}

// adopt completes the manifests of topics that have none.
func (t *Topics) adopt(found map[string]manifest) error {
	if t.again {
		if err := t.adoptAgain(found); err != nil {
			return err
		}
	}
	var names []string
	for name, m := range found {
		if m.Name == "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	kafka, err := kraft.Read(t.cfg.Disk, t.cfg.Dir)
	if err != nil {
		return fmt.Errorf("taking over the topics %s: %w: start that Kafka once more and stop it, or move %s away to take the topics over "+
			"without their settings", strings.Join(names, ", "), err, filepath.Join(t.cfg.Dir, kraft.Folder))
	}
	starts, err := readStarts(t.cfg.Disk, t.cfg.Dir)
	if err != nil {
		return err
	}
	if names, err = t.leaveCopies(found, names, kafka); err != nil {
		return err
	}
	_, err = t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, cleanFile))
	stopped := err == nil // a Kafka ran here last
	foreign := 0
	for _, name := range names {
		m := found[name]
		m.adopted = &adoption{starts[name]}
		if most := min(t.cfg.MaxPartitions, maxOfTopic); m.Partitions > most { // before each is looked for
			return fmt.Errorf("taking over topic %s: by the number in %s it has %d partitions, and the broker keeps at most %d: move the folder away if it is no partition",
				name, filepath.Join(t.cfg.Dir, folder(name, int32(m.Partitions-1))), m.Partitions, most)
		}
		if t.isOwn(name, m, kafka, stopped) {
			t.restore(name, &m)
		} else {
			foreign++
			t.complete(name, &m, kafka)
		}
		found[name] = m
	}
	if foreign == 0 {
		return nil
	}
	t.log.Warn("what the Kafka's server.properties said of all topics is not in the folder: give it with --set, as log.retention.hours, if it is to hold on",
		"retention", t.cfg.Settings.Millis("log.retention.ms"))
	if kafka != nil {
		t.tellWhatStays(kafka)
	}
	return t.unmark()
}

// leaveCopies leaves alone what carries the id of another topic: somebody copied a folder and gave it another name.
func (t *Topics) leaveCopies(found map[string]manifest, names []string, kafka *kraft.Metadata) (left []string, err error) {
	owners := map[ID]string{}
	if kafka != nil {
		for name, topic := range kafka.Topics {
			if _, there := found[name]; there {
				owners[topic.ID] = name
			}
		}
	}
	for name, m := range found {
		if m.Name != "" {
			owners[m.ID] = name
		}
	}
	for _, name := range names {
		id := found[name].ID
		owner, taken := owners[id]
		switch {
		case id == ID{} || owner == name:
		case taken && found[owner].Name == "" && (kafka == nil || ID(kafka.Topics[owner].ID) != id):
			return nil, fmt.Errorf("taking over the topics %s and %s: the folders of both carry the id %s, so those of one are copies: move these away", owner, name, id)
		case taken:
			t.log.Warn("folders are copies of another topic's and were left alone", "folders", filepath.Join(t.cfg.Dir, name+"-*"), "topic", owner)
			delete(found, name)
			continue
		default:
			owners[id] = name
		}
		left = append(left, name)
	}
	return left, nil
}

// unmark removes Kafka's word that all is as its broker left it at a clean end: a Kafka that is started here again has
// to look at the logs.
func (t *Topics) unmark() error {
	err := t.cfg.Disk.Remove(filepath.Join(t.cfg.Dir, cleanFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = t.cfg.Disk.SyncDir(t.cfg.Dir) // before a log is changed
	}
	return err
}

// complete fills a manifest from what the Kafka knew, if there was one.
func (t *Topics) complete(name string, m *manifest, kafka *kraft.Metadata) {
	m.Name = name
	attrs := []any{"topic", name}
	known := false
	if kafka != nil {
		k, there := kafka.Topics[name]
		switch {
		case !there:
			attrs = append(attrs, "note", "the Kafka that wrote it had deleted it")
		case m.ID != ID{} && m.ID != ID(k.ID):
			attrs = append(attrs, "note", "the Kafka's topic of this name has another id, so its settings were left out")
		default:
			m.ID, m.Partitions = ID(k.ID), max(m.Partitions, k.Partitions)
			known = true
			refused := t.takeSettings(m, k.Settings)
			known = !slices.ContainsFunc(refused, keeps)
			attrs = append(attrs, "settings", len(m.Own))
			if len(refused) > 0 {
				attrs = append(attrs, "left out", strings.Join(refused, ", "))
			}
		}
	}
	if missing := t.missing(name, m.Partitions); len(missing) > 0 {
		attrs = append(attrs, "partitions that are not in this folder and begin empty", strings.Join(missing, ", "))
	}
	switch {
	case IsInternal(name):
		m.Own = maps.Clone(internalSettings)
	case !known:
		maps.Copy(m.Own, keepAll)
		attrs = append(attrs, "settings that say how long it is kept", "not known: retention.ms=-1 and retention.bytes=-1 keep all of it until you set others (loghaul topic alter)")
	}
	if m.ID == (ID{}) {
		m.ID = NewID()
	}
	t.log.Warn("took over a topic without "+manifestFile, append(attrs, "partitions", m.Partitions)...)
}

// keeps says whether a setting says how long records are kept.
func keeps(setting string) bool {
	return setting == "cleanup.policy" || strings.HasPrefix(setting, "retention.")
}

// takeSettings puts the settings that there are here too into the manifest, and names the others.
func (t *Topics) takeSettings(m *manifest, settings map[string]string) (refused []string) {
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		if CheckTopic(map[string]string{setting: settings[setting]}) != nil {
			refused = append(refused, setting)
			continue
		}
		m.Own[setting] = settings[setting]
	}
	if CheckTopic(m.Own) != nil { // together they are too large
		refused, m.Own = slices.Sorted(maps.Keys(settings)), map[string]string{}
	}
	return refused
}

// tellWhatStays says what of a Kafka's metadata has no effect here.
func (t *Topics) tellWhatStays(kafka *kraft.Metadata) {
	if kafka.Torn != "" {
		t.log.Warn("the last changes of the Kafka's metadata could not be read: check the topics' settings", "at", kafka.Torn)
	}
	if len(kafka.Users) == 0 && kafka.Rules == 0 && kafka.Quotas == 0 {
		return
	}
	t.log.Warn("users, rules and quotas of the Kafka were not taken over: make those anew that are wanted (loghaul broker user add, kafka-acls, kafka-configs)",
		"users", strings.Join(kafka.Users, ", "), "rules", kafka.Rules, "quotas", kafka.Quotas)
}

// finishAdoption moves the logs' starts to where the Kafka had them and writes the manifest, which ends it.
func (t *Topics) finishAdoption(topic *Topic, m manifest) error {
	for _, p := range topic.Partitions() {
		if start := m.adopted.starts[p.Index]; start > p.Log.Start() {
			if err := p.Log.DeleteBefore(min(start, p.Log.HighWatermark())); err != nil {
				return err
			}
		}
	}
	topic.foreign = false
	t.took.Store(true)
	return durable.ReplaceOn(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(m.Name, 0), manifestFile), m.encode(), 0o640)
}

// readStarts reads Kafka's file: version 0, the number of lines, then "topic partition offset" each.
func readStarts(fsys disk.FS, dir string) (map[string]map[int32]record.Offset, error) {
	path := filepath.Join(dir, startsFile)
	data, err := disk.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 { // a Kafka makes it empty, and fills it after a minute
		return nil, nil
	}
	var starts map[string]map[int32]record.Offset
	if err == nil {
		starts, err = parseStarts(string(data))
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w: put back a copy, or remove it, and records that were deleted before their time are there again", path, err)
	}
	return starts, nil
}

func parseStarts(content string) (map[string]map[int32]record.Offset, error) {
	lines := strings.Split(strings.TrimRight(content, "\r\n"), "\n")
	if len(lines) < 2 || strings.TrimSpace(lines[0]) != "0" || strings.TrimSpace(lines[1]) != strconv.Itoa(len(lines)-2) {
		return nil, errors.New("it is damaged: it does not begin with 0 and its number of lines")
	}
	starts := map[string]map[int32]record.Offset{}
	for i, line := range lines[2:] {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("it is damaged in line %d", i+3)
		}
		partition, err := strconv.ParseInt(fields[1], 10, 32)
		offset, oerr := strconv.ParseInt(fields[2], 10, 64)
		if err = cmp.Or(err, oerr); err != nil || offset < 0 {
			return nil, fmt.Errorf("it is damaged in line %d: %q", i+3, line)
		}
		if starts[fields[0]] == nil {
			starts[fields[0]] = map[int32]record.Offset{}
		}
		starts[fields[0]][int32(partition)] = record.Offset(offset)
	}
	return starts, nil
}

// adoptSettings takes over what was changed while a Kafka's brokers ran, unless there is a file with such changes here.
func (t *Topics) adoptSettings() error {
	if _, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, dynamicFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := t.cfg.Disk.Stat(filepath.Join(t.cfg.Dir, kraft.Folder)); err != nil {
		return nil
	}
	kafka, err := kraft.Read(t.cfg.Disk, t.cfg.Dir)
	if err != nil || kafka == nil {
		return nil // adopt names what cannot be read, if a topic needs it
	}
	s := t.cfg.Settings
	taken := s.now().Dynamic
	var refused []string
	take := func(where, name string, change func(d *Dynamic)) {
		d, err := s.editedFrom(taken, func(d *Dynamic) error { change(d); return nil })
		if err != nil {
			refused = append(refused, where+name)
			return
		}
		taken = d
	}
	for _, broker := range slices.Sorted(maps.Keys(kafka.Brokers)) {
		for name, value := range kafka.Brokers[broker] {
			switch {
			case broker == "":
				take("", name, func(d *Dynamic) { d.All[name] = value })
			case len(kafka.Brokers) == 1 || len(kafka.Brokers) == 2 && kafka.Brokers[""] != nil:
				take("", name, func(d *Dynamic) { d.Node[name] = value })
			default:
				refused = append(refused, "broker "+broker+": "+name)
			}
		}
	}
	for group, own := range kafka.Groups {
		for name, value := range own {
			take("group "+group+": ", name, func(d *Dynamic) { d.Group(group)[name] = value })
		}
	}
	slices.Sort(refused)
	if err := writeDynamic(t.cfg.Disk, t.cfg.Dir, taken); err != nil {
		return fmt.Errorf("taking over the settings of a Kafka's brokers: %w", err)
	}
	s.layers.Store(newLayers(s.now().start, taken))
	if len(taken.All)+len(taken.Node)+len(taken.Groups)+len(refused) == 0 {
		return nil // the file says that this has been looked for
	}
	attrs := []any{"file", filepath.Join(t.cfg.Dir, dynamicFile), "all", len(taken.All), "node", len(taken.Node), "groups", len(taken.Groups)}
	if len(refused) > 0 {
		attrs = append(attrs, "left out", strings.Join(refused, ", "))
	}
	t.log.Warn("took over the settings of the Kafka's brokers", attrs...)
	return nil
}
