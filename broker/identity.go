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

	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/kraft"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// metaFile is Kafka's own file about a data folder, with one line of ours:
//
//	#check 0a1b2c3d
//	version=1
//	cluster.id=wQ7Zf0mMSh2yyZ0zOJZ0uA    random at the first start, the same ever after
//	node.id=1                            a Kafka's own stays, or it would not start in this folder any more
//	directory.id=...
//	leader.epoch=7                       one more at each start
const metaFile = "meta.properties"

// metaVersion is the newest version of a data folder that is known here, Kafka's 1 included.
const metaVersion = 1

// identity is who this broker is.
type identity struct {
	clusterID   string
	directoryID string
	nodeID      string
	epoch       int32 // of this start
}

// begin reads the identity of the data folder, or makes one, and enters a new leader epoch, durable when it returns:
// records of two starts must never carry the same one. Where the file does not say which was the last one, the logs do.
func begin(fsys disk.FS, dir, clusterID string, log *slog.Logger) (identity, error) {
	path := filepath.Join(dir, metaFile)
	id := identity{directoryID: topics.NewID().String(), nodeID: strconv.Itoa(int(handle.NodeID)), epoch: -1}
	data, err := disk.ReadFile(fsys, path)
	lost := errors.Is(err, os.ErrNotExist)
	if err == nil {
		if data, err = durable.Unsign(data); err != nil { // that says the mend
			return id, fmt.Errorf("reading %s: %w; without the file, the folder gets a new cluster id and goes on with the leader epoch of the logs", path, err)
		}
	}
	if err == nil {
		err = id.parse(string(data))
	} else if lost {
		err = nil
	}
	if errors.Is(err, errNewerFolder) {
		return id, fmt.Errorf("reading %s: %w", path, err)
	} else if err != nil {
		return id, fmt.Errorf("reading %s: %w: put back a copy, or remove it for a new cluster id with the leader epoch of the logs", path, err)
	}
	again := false
	if id.epoch >= 0 {
		if again, err = topics.KafkaWasHere(fsys, dir); err != nil {
			return id, err
		}
	}
	if id.epoch < 0 || again { // the Kafka has given out epochs of its own
		id.epoch = max(id.epoch, lastEpoch(fsys, dir))
		if kafka, err := kraft.Read(fsys, dir); err != nil {
			return id, fmt.Errorf("looking for the leader epochs of the Kafka that the folder is from: %w: start that Kafka once more and stop it, or move %s away to take "+
				"the topics over without their settings", err, filepath.Join(dir, kraft.Folder))
		} else if kafka != nil {
			id.epoch = max(id.epoch, kafka.LeaderEpoch) // clients remember it
		}
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
		return id, fmt.Errorf("the data folder %s is of the cluster %s, and CLUSTER_ID asks for %s: give the folder of that cluster, or leave CLUSTER_ID out", dir, id.clusterID, clusterID)
	}
	content := fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%s\ndirectory.id=%s\nleader.epoch=%d\n",
		id.clusterID, id.nodeID, id.directoryID, id.epoch)
	err = diskroom.Replace(fsys, dir, func() error { return durable.ReplaceOn(fsys, path, durable.Sign([]byte(content)), 0o640) })
	if diskroom.IsFull(err) {
		err = fmt.Errorf("%w: the disk of the data folder %s is full, and what was kept for a start is used up: free %s there, outside of the folder", err, dir, diskroom.Bytes(2*diskroom.StartBytes))
	}
	return id, err
}

// errNewerFolder refuses what a later version has written, before anything is changed.
var errNewerFolder = errors.New("it was written by a newer version of this program or of Kafka: start that one, or give another folder with --data")

// lastEpoch is the highest leader epoch that a log of the folder was written under, -1 where there is none. It is
// looked for when meta.properties does not know it; what cannot be read here is told when the log is opened.
func lastEpoch(fsys disk.FS, dir string) int32 {
	last := int32(-1)
	entries, _ := fsys.ReadDir(dir)
	for _, e := range entries {
		data, err := disk.ReadFile(fsys, filepath.Join(dir, e.Name(), "leader-epoch-checkpoint"))
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
		case "version":
			if n, err := strconv.Atoi(value); err == nil && n > metaVersion {
				return fmt.Errorf("version is %d, this program reads version %d: %w", n, metaVersion, errNewerFolder)
			}
		case "cluster.id":
			id.clusterID = value
		case "node.id":
			if _, err := strconv.ParseInt(value, 10, 32); err == nil {
				id.nodeID = value
			}
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
