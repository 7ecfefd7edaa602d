package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
	"github.com/loghaul/loghaul/internal/record"
)

// endsName says where each log ended at the last clean stop. A partition's folder cannot say by itself that it is an older
// copy, or that it is new where there was another, and its offsets would be given out twice:
//
//	#check 0a1b2c3d
//	{"version":1,"ends":{"nZ4cVdGkRaOBj9Nq0VYc3A":[120,131]}}
//
// The topics are named by their ids, so that one that was made again is another. Logs only grow: a file from before the
// last stop says less, and nothing that is wrong.
const endsName = "log-ends.json"

// endsVersion is the only version of it so far.
const endsVersion = 1

// endsFile is what the file holds.
type endsFile struct {
	Version int                        `json:"version"`
	Ends    map[string][]record.Offset `json:"ends"` // of partitions 0, 1, ...
}

// knownEnds is where the logs ended, as far as it is known.
func (b *Broker) knownEnds(t *topics.Topics) map[string][]record.Offset {
	path := filepath.Join(b.cfg.Data, endsName)
	data, err := disk.ReadFile(disk.Or(b.cfg.Disk), path)
	if errors.Is(err, fs.ErrNotExist) || t.TookOver() { // what a Kafka has cut it has cut
		return nil
	}
	if err == nil {
		data, err = durable.Unsign(data)
	}
	var content endsFile
	if err == nil {
		err = json.Unmarshal(data, &content)
	}
	if err == nil && content.Version != endsVersion {
		err = fmt.Errorf("it is of version %d, this program reads version %d", content.Version, endsVersion)
	}
	if err != nil {
		b.cfg.Logger.Warn("where the logs ended at the last stop is not known, so that the copy of an older folder is not found out", "error", fmt.Errorf("reading %s: %w", path, err))
		return nil
	}
	return content.Ends
}

// writeEnds writes down where the logs end.
func (b *Broker) writeEnds(t *topics.Topics) {
	content := endsFile{Version: endsVersion, Ends: map[string][]record.Offset{}}
	for _, topic := range t.List() {
		ends := make([]record.Offset, 0, len(topic.Partitions()))
		for _, p := range topic.Partitions() {
			ends = append(ends, p.Log.HighWatermark())
		}
		content.Ends[topic.ID.String()] = ends
	}
	data, err := json.Marshal(content)
	if err == nil {
		err = durable.ReplaceOn(disk.Or(b.cfg.Disk), filepath.Join(b.cfg.Data, endsName), durable.Sign(data), 0o640)
	}
	if err != nil {
		b.cfg.Logger.Warn("writing down where the logs end; an older file says less, and nothing that is wrong", "error", err)
	}
}

// knownEnd is where a partition's log ended, 0: not known.
func (c *commits) knownEnd(p *topics.Partition) record.Offset {
	if ends := c.ends[p.Topic.ID.String()]; int(p.Index) < len(ends) {
		return ends[p.Index]
	}
	return 0
}
