package kraft

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// batchOf is one batch of many records.
func batchOf(t testing.TB, codec record.Codec, first record.Offset, records ...[]byte) []byte {
	t.Helper()
	b := record.NewBuilder(64)
	for _, value := range records {
		b.Append(0, nil, value, 0, nil)
	}
	batch, err := b.Seal(nil, record.NoProducer, codec, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	record.Stamp(batch, first, 1)
	return batch
}

// hostile puts a file into a folder and reads it.
func hostile(t *testing.T, content []byte) (*Metadata, error) {
	t.Helper()
	data := t.TempDir()
	path := filepath.Join(data, Folder, "00000000000000000000.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(disk.Real{}, data)
}

// Whoever begins a change again and again, over ever so many topics, does not have all of them copied each time.
func TestManyChangesOfManyTopicsAreReadInTheTimeTheyTake(t *testing.T) {
	const topics, changes = 20_000, 40_000
	var records [][]byte
	for i := range topics {
		id := [16]byte{1}
		binary.BigEndian.PutUint32(id[4:], uint32(i))
		records = append(records, made(topicRecord, 0, fmt.Sprint("topic-", i), id))
	}
	for range changes {
		records = append(records, made(beginRecord, 0), made(endRecord, 0))
	}
	m, err := hostile(t, batchOf(t, record.None, 0, records...))
	if err != nil || len(m.Topics) != topics {
		t.Errorf("%v", err)
	}
}

func TestAChangeThatNeverEndsIsBounded(t *testing.T) {
	name := strings.Repeat("x", 1<<20)
	content := batchOf(t, record.None, 0, made(beginRecord, 0))
	for i := range mostOpen>>20 + 1 {
		content = append(content, batchOf(t, record.None, record.Offset(i+1), made(topicRecord, 0, name, id(1)))...)
	}
	if _, err := hostile(t, content); err == nil || !strings.Contains(err.Error(), "more than 64 MiB of records") {
		t.Errorf("%v", err)
	}
}

// Behind a damaged place each byte begins what looks like a batch that reaches to the end of the file.
func TestADamagedPlaceBeforeManyDoubtfulOnesIsRefused(t *testing.T) {
	head := batchOf(t, record.None, 0, made(topicRecord, 0, "web_log", id(1)))[:record.HeaderSize]
	content := make([]byte, 4<<20)
	for at := 100; at+len(head) < len(content); at += len(head) {
		copy(content[at:], head)
		binary.BigEndian.PutUint64(content[at:], 5) // the offset
		binary.BigEndian.PutUint32(content[at+8:], uint32(len(content)-at-12))
	}
	if _, err := hostile(t, content); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("%v", err)
	}
}

func TestPackedBatchesAreFew(t *testing.T) {
	var content []byte
	for i := range record.Offset(mostPacked + 1) {
		content = append(content, batchOf(t, record.Gzip, i, made(topicRecord, 0, "web_log", id(1)))...)
	}
	if _, err := hostile(t, content); err == nil || !strings.Contains(err.Error(), "are packed") {
		t.Errorf("%v", err)
	}
	if _, err := hostile(t, content[:len(content)/(mostPacked+1)]); err != nil {
		t.Errorf("one packed batch: %v", err)
	}
}

// Nobody comes to an epoch below all others because there is none above the last.
func TestALeaderEpochThatNoneCanFollowIsRefused(t *testing.T) {
	for epoch, refused := range map[int32]bool{math.MaxInt32 - 1: false, math.MaxInt32: true} {
		m, err := hostile(t, batchOf(t, record.None, 0, made(topicRecord, 0, "web_log", id(1)), partition(0, 1, epoch)))
		if refused != (err != nil) || err == nil && m.LeaderEpoch != epoch {
			t.Errorf("epoch %d: %+v, %v", epoch, m, err)
		}
	}
}
