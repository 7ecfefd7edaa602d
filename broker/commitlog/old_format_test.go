package commitlog

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oldRecord is one record of message format 0 or 1 with a null key.
func oldRecord(magic byte, value string) []byte {
	be := binary.BigEndian
	rest := []byte{magic, 0}
	if magic == 1 {
		rest = be.AppendUint64(rest, 1000)
	}
	rest = be.AppendUint32(rest, 1<<32-1)
	rest = append(be.AppendUint32(rest, uint32(len(value))), value...)
	b := be.AppendUint32(make([]byte, 8), uint32(len(rest)+4))
	b = be.AppendUint32(b, crc32.ChecksumIEEE(rest))
	return append(b, rest...)
}

func TestALogInAnOldFormatIsRefusedAndNotCut(t *testing.T) {
	for magic := range byte(2) {
		dir := logDir(t)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, segmentName(0, logSuffix))
		whole := append(oldRecord(magic, "hello"), oldRecord(magic, "world")...)
		writeFile(t, path, whole)
		_, err := Open(dir, Config{Disk: unsyncedDisk{}, Cut: func(c Cut) { t.Errorf("cut: %s", c) }}, nil)
		if err == nil || !strings.Contains(err.Error(), "message format") || !strings.Contains(err.Error(), "copy the topic") {
			t.Fatalf("format %d was opened: %v", magic, err)
		}
		if string(readFile(t, path)) != string(whole) {
			t.Fatalf("the segment of format %d was touched", magic)
		}
		// What only looks like it is damage.
		whole[len(whole)-1] ^= 1
		whole[20] ^= 1
		writeFile(t, path, whole)
		cut := 0
		l, err := Open(dir, Config{Disk: unsyncedDisk{}, Cut: func(Cut) { cut++ }}, nil)
		if err != nil || cut != 1 {
			t.Fatalf("damage like format %d: %d cuts, %v", magic, cut, err)
		}
		closeLog(t, l)
	}
}
