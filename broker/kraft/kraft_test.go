package kraft

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// made is a record of the metadata.
func made(number, version uint32, fields ...any) []byte {
	b := kbin.AppendUvarint(nil, 1)
	b = kbin.AppendUvarint(b, number)
	b = kbin.AppendUvarint(b, version)
	for _, f := range fields {
		switch v := f.(type) {
		case string:
			b = kbin.AppendCompactString(b, v)
		case *string:
			b = kbin.AppendCompactNullableString(b, v)
		case [16]byte:
			b = append(b, v[:]...)
		case int8:
			b = kbin.AppendInt8(b, v)
		case int32:
			b = kbin.AppendInt32(b, v)
		case int64:
			b = kbin.AppendInt64(b, v)
		case []int32:
			b = kbin.AppendCompactArrayLen(b, len(v))
			for _, n := range v {
				b = kbin.AppendInt32(b, n)
			}
		case bool:
			b = kbin.AppendBool(b, v)
		case float64:
			b = kbin.AppendFloat64(b, v)
		}
	}
	return kbin.AppendUvarint(b, 0) // no tags
}

func id(n byte) [16]byte { return [16]byte{15: n} }

func ptr(s string) *string { return &s }

func partition(index int32, topic byte, epoch int32) []byte {
	return made(partitionRecord, 0, index, id(topic), []int32{1}, []int32{1}, []int32{}, []int32{}, int32(1), epoch, int32(0))
}

// write makes a file of batches of one record each, the first at an offset.
func write(t testing.TB, path string, first record.Offset, records ...[]byte) {
	t.Helper()
	var file []byte
	for i, value := range records {
		b := record.NewBuilder(64)
		b.Append(0, nil, value, 0, nil)
		batch, err := b.Seal(nil, record.NoProducer, record.None, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		record.Stamp(batch, first+record.Offset(i), 1)
		file = append(file, batch...)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, data string) *Metadata {
	t.Helper()
	m, err := Read(disk.Real{}, data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAFolderWithoutAControllerHasNoMetadata(t *testing.T) {
	if m := mustRead(t, t.TempDir()); m != nil {
		t.Errorf("got %+v", m)
	}
}

func TestChangesAreAppliedInOrder(t *testing.T) {
	data := t.TempDir()
	write(t, filepath.Join(data, Folder, "00000000000000000000.log"), 0,
		made(topicRecord, 0, "web_log", id(1)), partition(0, 1, 0), partition(1, 1, 4),
		made(configRecord, 0, int8(ofTopic), "web_log", "retention.ms", ptr("5")),
		made(configRecord, 0, int8(ofTopic), "web_log", "segment.bytes", ptr("7")),
		made(configRecord, 0, int8(ofTopic), "web_log", "retention.ms", ptr("6")),
		made(configRecord, 0, int8(ofTopic), "web_log", "segment.bytes", (*string)(nil)),
		made(partitionChangeRecord, 0, int32(1), id(1)), // another leader
		made(configRecord, 0, int8(ofBroker), "", "log.retention.ms", ptr("8")),
		made(configRecord, 0, int8(ofBroker), "1", "message.max.bytes", ptr("9")),
		made(configRecord, 0, int8(ofGroup), "g", "consumer.session.timeout.ms", ptr("10")),
		made(topicRecord, 0, "gone", id(2)), partition(0, 2, 0),
		made(configRecord, 0, int8(ofTopic), "gone", "retention.ms", ptr("1")),
		made(removeTopicRecord, 0, id(2)),
		made(77, 3, "of a kind that is not known"),
		made(producerIDsRecord, 0, int32(1), int64(12), int64(3000)),
		made(userRecord, 0, "ann", int8(1)), made(userRecord, 0, "bob", int8(1)), made(removeUserRecord, 0, "bob", int8(1)),
		made(ruleRecord, 0, id(7)), made(ruleRecord, 0, id(8)), made(removeRuleRecord, 0, id(7)),
		append([]byte{1, quotaRecord, 0}, quota("client-id", "batch", "producer_byte_rate", false)...),
		append([]byte{1, quotaRecord, 0}, quota("client-id", "other", "producer_byte_rate", false)...),
		append([]byte{1, quotaRecord, 0}, quota("client-id", "batch", "producer_byte_rate", true)...),
		made(beginRecord, 0), made(topicRecord, 0, "never", id(3)), made(abortRecord, 0),
		made(beginRecord, 0), made(topicRecord, 0, "latest", id(4)), made(endRecord, 0))
	got := mustRead(t, data)
	want := &Metadata{
		Topics:      map[string]Topic{"web_log": {id(1), 2, map[string]string{"retention.ms": "6"}}, "latest": {id(4), 0, nil}},
		Brokers:     map[string]map[string]string{"": {"log.retention.ms": "8"}, "1": {"message.max.bytes": "9"}},
		Groups:      map[string]map[string]string{"g": {"consumer.session.timeout.ms": "10"}},
		LeaderEpoch: 5, ProducerID: 3000, Users: []string{"ann"}, Rules: 1, Quotas: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// quota is the fields of a quota record.
func quota(kind, name, key string, remove bool) []byte {
	b := kbin.AppendCompactArrayLen(nil, 1)
	b = kbin.AppendCompactString(b, kind)
	b = kbin.AppendCompactNullableString(b, &name)
	b = kbin.AppendUvarint(b, 0)
	b = kbin.AppendCompactString(b, key)
	b = kbin.AppendFloat64(b, 1)
	b = kbin.AppendBool(b, remove)
	return kbin.AppendUvarint(b, 0)
}

func TestTheNewestSnapshotStandsForWhatWasBeforeIt(t *testing.T) {
	data := t.TempDir()
	dir := filepath.Join(data, Folder)
	write(t, filepath.Join(dir, "00000000000000000000.log"), 0, made(topicRecord, 0, "old", id(1)))
	write(t, filepath.Join(dir, "00000000000000000005-0000000001.checkpoint"), 0, made(topicRecord, 0, "older", id(2)))
	write(t, filepath.Join(dir, "00000000000000000010-0000000001.checkpoint"), 0, made(topicRecord, 0, "kept", id(3)))
	write(t, filepath.Join(dir, "00000000000000000008.log"), 8, made(topicRecord, 0, "covered", id(4)), made(topicRecord, 0, "covered too", id(5)), made(topicRecord, 0, "new", id(6)))
	var names []string
	for name := range mustRead(t, data).Topics {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"kept", "new"}) {
		t.Errorf("got %q, want kept and new", names)
	}
}

func TestATornEndIsToldAndDamageElsewhereRefused(t *testing.T) {
	for _, story := range []struct {
		file  string
		cut   int
		flip  int
		torn  bool
		more  bool // a change behind it
		error string
	}{
		{file: "00000000000000000002.log", cut: 5, torn: true},
		{file: "00000000000000000002.log", flip: 70, torn: true},
		{file: "00000000000000000002.log", flip: 70, more: true, error: "there are changes behind it"},
		{file: "00000000000000000002.log", flip: 10, more: true, error: "there are changes behind it"}, // the length
		{file: "00000000000000000000.log", cut: 5, error: "00000000000000000000.log is damaged"},
		{file: "00000000000000000000.log", flip: 70, error: "bad CRC at position 0"},
	} {
		data := t.TempDir()
		dir := filepath.Join(data, Folder)
		write(t, filepath.Join(dir, "00000000000000000000.log"), 0, made(topicRecord, 0, "first", id(1)), made(topicRecord, 0, "second", id(2)))
		last := [][]byte{made(topicRecord, 0, "third", id(3))}
		if story.more {
			last = append(last, made(topicRecord, 0, "fourth", id(4)))
		}
		write(t, filepath.Join(dir, "00000000000000000002.log"), 2, last...)
		path := filepath.Join(dir, story.file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b = b[:len(b)-story.cut]; story.flip > 0 {
			b[story.flip] ^= 1
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Read(disk.Real{}, data)
		switch {
		case story.error != "":
			if err == nil || !strings.Contains(err.Error(), story.error) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%+v: %v", story, err)
			}
		case err != nil || (m.Torn != "") != story.torn || !strings.Contains(m.Torn, path) || len(m.Topics) != 2:
			t.Errorf("%+v: %+v, %v", story, m, err)
		}
	}
}

func TestMissingChangesAreNamed(t *testing.T) {
	for _, files := range [][]record.Offset{{3}, {0, 5}} {
		data := t.TempDir()
		for _, first := range files {
			write(t, filepath.Join(data, Folder, fmt.Sprintf("%020d.log", first)), first, made(topicRecord, 0, "web_log", id(1)))
		}
		if _, err := Read(disk.Real{}, data); err == nil || !strings.Contains(err.Error(), "are missing, 0000000000000000000") {
			t.Errorf("%v: %v", files, err)
		}
	}
}

func TestAChangeThatWasNeverCompletedHasNoEffect(t *testing.T) {
	data := t.TempDir()
	write(t, filepath.Join(data, Folder, "00000000000000000000.log"), 0, made(topicRecord, 0, "web_log", id(1)), made(beginRecord, 0), made(removeTopicRecord, 0, id(1)))
	if m := mustRead(t, data); len(m.Topics) != 1 {
		t.Errorf("got %+v", m)
	}
}

// A whole file of any content is read within bounds.
func FuzzFile(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed")
	write(f, path, 0, made(topicRecord, 0, "web_log", id(1)), partition(0, 1, 4), made(beginRecord, 0))
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-3])
	f.Add(append(seed[20:], seed...))
	f.Fuzz(func(t *testing.T, content []byte) {
		data := t.TempDir()
		path := filepath.Join(data, Folder, "00000000000000000000.log")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := Read(disk.Real{}, data); err == nil && len(m.Topics) > len(content)/record.HeaderSize {
			t.Errorf("%d topics out of %d bytes", len(m.Topics), len(content))
		}
	})
}

func TestRecordsOfANewerKafkaAreRefused(t *testing.T) {
	for _, r := range [][]byte{made(topicRecord, 1, "web_log", id(1)), made(configRecord, 9), append([]byte{2}, made(topicRecord, 0)[1:]...)} {
		data := t.TempDir()
		write(t, filepath.Join(data, Folder, "00000000000000000000.log"), 0, r)
		if _, err := Read(disk.Real{}, data); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("%x: %v", r, err)
		}
	}
}

// No record makes the state grow beyond what its bytes can say, nor does one take long.
func FuzzRecords(f *testing.F) {
	f.Add(made(topicRecord, 0, "web_log", id(1)))
	f.Add(partition(0, 1, 4))
	f.Add(made(configRecord, 0, int8(ofTopic), "web_log", "retention.ms", ptr("5")))
	f.Add(append([]byte{1, quotaRecord, 0}, quota("user", "ann", "k", false)...))
	f.Add(append([]byte{1, partitionRecord, 0}, binary.AppendUvarint(make([]byte, 20), 1<<31)...))
	f.Add([]byte{1, quotaRecord, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, value []byte) {
		s := newState()
		for range 2 {
			if s.apply(value) != nil {
				break
			}
		}
		if n := len(s.topics) + len(s.settings) + len(s.users) + len(s.rules) + len(s.quotas); n > 2 {
			t.Errorf("%d things out of one record", n)
		}
	})
}
