package broker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/durable"
)

// metaFile is Kafka's own file about a data folder, with one line of ours:
//
//	version=1
//	cluster.id=wQ7Zf0mMSh2yyZ0zOJZ0uA    random at the first start, the same ever after
//	node.id=1
//	directory.id=...
//	leader.epoch=7                       one more at each start
const metaFile = "meta.properties"

// identity is who this broker is.
type identity struct {
	clusterID   string
	directoryID string
	epoch       int32 // of this start
}

// begin reads the identity of the data folder, or makes one, and enters a new leader epoch, durable when it returns:
// records of two starts must never carry the same one. Where the file does not say which was the last one, the logs do.
func begin(dir, clusterID string, log *slog.Logger) (identity, error) {
	path := filepath.Join(dir, metaFile)
	id := identity{directoryID: topics.NewID().String(), epoch: -1}
	data, err := os.ReadFile(path)
	lost := errors.Is(err, os.ErrNotExist)
	if err == nil {
		err = id.parse(string(data))
	} else if lost {
		err = nil
	}
	if err != nil {
		return id, fmt.Errorf("reading %s: %w: put back a copy, or remove it for a new cluster id with the leader epoch of the logs", path, err)
	}
	if id.epoch < 0 {
		id.epoch = lastEpoch(dir)
	}
	id.epoch++
	if lost {
		id.clusterID = cmp.Or(clusterID, topics.NewID().String())
	}
	if lost && id.epoch > 0 {
		log.Warn(metaFile+" is gone and there are logs: the folder has a new cluster id, and the leader epoch goes on from that of the logs",
			"file", path, "cluster", id.clusterID, "epoch", id.epoch)
	}
	if clusterID != "" && clusterID != id.clusterID {
		log.Warn("the folder has a cluster id of its own, which stays", "cluster", id.clusterID, "asked", clusterID)
	}
	content := fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\nleader.epoch=%d\n",
		id.clusterID, handle.NodeID, id.directoryID, id.epoch)
	if err := durable.Replace(path, []byte(content), 0o640); err != nil {
		return id, err
	}
	return id, nil
}

// lastEpoch is the highest leader epoch that a log of the folder was written under, -1 where there is none. It is
// looked for when meta.properties does not know it; what cannot be read here is told when the log is opened.
func lastEpoch(dir string) int32 {
	last := int32(-1)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name(), "leader-epoch-checkpoint"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			epoch, _, entry := strings.Cut(strings.TrimSpace(line), " ") // EPOCH OFFSET, below two lines with one number
			if n, err := strconv.ParseInt(epoch, 10, 32); err == nil && entry && n < math.MaxInt32 {
				last = max(last, int32(n))
			}
		}
	}
	return last
}

// parse takes what the file says over what is there. Kafka's own file has no leader epoch.
func (id *identity) parse(content string) error {
	for line := range strings.Lines(content) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "cluster.id":
			id.clusterID = value
		case "directory.id":
			id.directoryID = value
		case "leader.epoch":
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil || n < 0 || n == math.MaxInt32 {
				return fmt.Errorf("leader.epoch is %q, not a number of starts", value)
			}
			id.epoch = int32(n)
		}
	}
	if id.clusterID == "" {
		return errors.New("it is damaged: there is no cluster.id in it")
	}
	return nil
}
