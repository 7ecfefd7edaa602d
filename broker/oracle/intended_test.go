package oracle_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// intention is a difference that is wanted: where a real Kafka's line holds the one word, ours holds the other.
type intention struct {
	key    int16
	line   string // what the line is about: its words before the colon
	theirs string
	ours   string
	row    string // of "Intended differences from Apache Kafka" in broker/DESIGN.md, which gives the reason
}

const (
	never    = "UNKNOWN_SERVER_ERROR"
	sessions = "fetch sessions"
	sizes    = "sizes of old fetches"
	twice    = "a partition named twice"
	zk       = "offsets of version 0"
	byID     = "Metadata by topic id"
)

// intentions are all of them.
var intentions = []intention{
	{0, "not what it says it is packed with", "UNKNOWN_SERVER_ERROR", "INVALID_RECORD", never},
	{0, "not packed as it says", "UNKNOWN_SERVER_ERROR", "INVALID_RECORD", never},
	{0, "5", "UNKNOWN_SERVER_ERROR", "UNSUPPORTED_COMPRESSION_TYPE", never},
	{0, "a batch and a byte", "{LogAppendTime", "INVALID_RECORD", "bytes behind a batch"},
	{0, "stored", "[batch{0+0", "stored: ", "bytes behind a batch"},
	{0, "no records", "no answer", "INVALID_RECORD", "requests that are never answered"},
	{0, "the same again", "LogAppendTime:1600000000000", "LogAppendTime:-1", "append time of a duplicate"},
	{0, "the first again", "LogAppendTime:1600000000001", "LogAppendTime:-1", "append time of a duplicate"},
	{0, "one that is long ago", "OUT_OF_ORDER_SEQUENCE_NUMBER", "{BaseOffset:4", "producer state"},
	{1, "of a partition", "PreferredReadReplica:-1}", `RecordBatches:[message{0`, sizes},
	{1, "of a partition", "message{1", `RecordBatches:[message{0`, sizes},
	{1, "of all", "message{1", `RecordBatches:[message{0`, sizes},
	{1, "none", "PreferredReadReplica:-1}", `RecordBatches:[message{0`, sizes},
	{1, "none", "message{1", `RecordBatches:[message{0`, sizes},
	{1, "an end of none", "FETCH_SESSION_ID_NOT_FOUND", "HighWatermark:1", sessions},
	{1, "twice", "RecordBatches", "RecordBatches", twice},
	{2, "a partition twice", "OldStyleOffsets:[0]", "INVALID_REQUEST", twice},
	{3, "unknown", "UNKNOWN_TOPIC_OR_PARTITION", "Leader:1", "auto-creation"},
	{3, "by id", "ControllerID:-1", "INVALID_REQUEST", byID},
	{3, "by id and name", "ControllerID:-1", "INVALID_REQUEST", byID},
	{3, "by id", "UNKNOWN_SERVER_ERROR", "UNKNOWN_TOPIC_ID", never},
	{8, "", "UNSUPPORTED_VERSION", "Topics", zk},
	{8, "what is committed without a group", "Offset:-1", "Offset:5", zk},
	{9, "", "UNSUPPORTED_VERSION", "Topics", zk},
	{19, "", "Configs", "message.downconversion.enable", "message.downconversion.enable"},
	{30, "any kind of resource", "UNKNOWN_SERVER_ERROR", "INVALID_REQUEST", never},
	{30, "any operation", "UNKNOWN_SERVER_ERROR", "INVALID_REQUEST", never},
	{30, "any permission", "UNKNOWN_SERVER_ERROR", "INVALID_REQUEST", never},
	{30, "any pattern", "UNKNOWN_SERVER_ERROR", "INVALID_REQUEST", never},
	{30, "a matching pattern", "UNKNOWN_SERVER_ERROR", "INVALID_REQUEST", never},
	{32, "a topic's", "Source:-1", "IsDefault:true", "IsDefault of DescribeConfigs 0"},
	{32, "the broker's", "Source:-1", "IsDefault:true", "IsDefault of DescribeConfigs 0"},
	{32, "the broker's", `"ssl.keystore.password" Source`, `"ssl.keystore.password" ReadOnly:true`, "settings of keys"},
	{33, "twice", "no answer", "INVALID_REQUEST", "requests that are never answered"},
	{44, "an unknown operation", "UNKNOWN_SERVER_ERROR", "INVALID_REQUEST", never},
	{51, "no password", "UNKNOWN_SERVER_ERROR", "UNACCEPTABLE_CREDENTIAL", never},
	{51, "no salt", `{User:"v"}`, "UNACCEPTABLE_CREDENTIAL", "SCRAM without salt"},
	{68, "a classic member joins", "MEMBER_ID_REQUIRED", "INCONSISTENT_GROUP_PROTOCOL", "groups that migrate"},
	{57, "as it is", `{Feature:"group.version"}`, "INVALID_UPDATE_VERSION", "features"},
}

// notFilmed are versions, "key vN", that no real Kafka here serves, and why this broker does.
var notFilmed = map[string]string{}

// equal tells whether an answer is the film's but for what is meant to differ.
func equal(key int16, want, got string) bool {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	if len(w) != len(g) {
		return false
	}
	for i := range w {
		if w[i] != g[i] && !slices.ContainsFunc(intentions, func(in intention) bool { return in.covers(key, w[i], g[i]) }) {
			return false
		}
	}
	return true
}

// covers tells whether two lines differ as intended.
func (in intention) covers(key int16, want, got string) bool {
	about := func(line string) bool { return in.line == "" || strings.HasPrefix(line, in.line+": ") }
	return in.key == key && about(want) && about(got) && strings.Contains(want, in.theirs) && strings.Contains(got, in.ours)
}

func TestIntendedDifferencesAreInTheDesign(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "DESIGN.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(b), "## Intended differences from Apache Kafka")
	if !found {
		t.Fatal("broker/DESIGN.md has no intended differences")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	for _, in := range intentions {
		if !strings.Contains(table, fmt.Sprintf("\n| %s |", in.row)) {
			t.Errorf("%q is no row of the intended differences in broker/DESIGN.md", in.row)
		}
	}
}

func TestIntendedDifferencesAreThere(t *testing.T) {
	for _, in := range intentions {
		f := readFilm(t, in.key)
		told := false
		for _, byVersion := range f {
			for _, text := range byVersion {
				for line := range strings.Lines(text) {
					told = told || (in.line == "" || strings.HasPrefix(line, in.line+": ")) && strings.Contains(line, in.theirs)
				}
			}
		}
		if !told {
			t.Errorf("no real Kafka answers %q for %q in %s any more", in.theirs, in.line, filmFile(in.key))
		}
	}
}
