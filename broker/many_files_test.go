package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker/topics"
)

func TestMorePartitionsThanFilesAreToldBeforeTheyFail(t *testing.T) {
	list, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err == nil {
		_, err = list.Create("web_log", 30, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	for most, want := range map[int64]bool{0: false, 1029: true, 1030: false} {
		var lines bytes.Buffer
		warnOfFiles(slog.New(slog.NewTextHandler(&lines, nil)), list, most)
		if said := strings.Contains(lines.String(), "partitions=30") && strings.Contains(lines.String(), "ulimit -n"); said != want {
			t.Errorf("with %d files it says %q", most, &lines)
		}
	}
}
