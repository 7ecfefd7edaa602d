package broker

import (
	"errors"
	"fmt"
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
// records of two starts must never carry the same one.
func begin(dir string) (identity, error) {
	path := filepath.Join(dir, metaFile)
	id := identity{clusterID: topics.NewID().String(), directoryID: topics.NewID().String(), epoch: -1}
	data, err := os.ReadFile(path)
	if err == nil {
		err = id.parse(string(data))
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return id, fmt.Errorf("reading %s: %w", path, err)
	}
	id.epoch++
	content := fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\nleader.epoch=%d\n",
		id.clusterID, handle.NodeID, id.directoryID, id.epoch)
	if err := durable.Replace(path, []byte(content), 0o640); err != nil {
		return id, err
	}
	return id, nil
}

// parse takes what the file says over what is there.
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
			if err != nil || n < 0 {
				return fmt.Errorf("leader.epoch is %q, not a number", value)
			}
			id.epoch = int32(n)
		}
	}
	if id.clusterID == "" {
		return errors.New("cluster.id is empty")
	}
	return nil
}
