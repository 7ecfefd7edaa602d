package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// lossesName is the account of what groups have lost, so that a restart forgets none of it:
//
//	#check 0a1b2c3d
//	{"version":1,"losses":[{"group":"readers","topic":"web_log","partition":0,"records":4}]}
//
// It is written a moment after a loss: a kill may take the last losses out of it, which their lines in the log still tell.
const lossesName = "group-losses.json"

// lossesVersion is the only version of it so far.
const lossesVersion = 1

// lossesPace is the time between two writings of the account.
const lossesPace = 2 * time.Second

// lossesFile is what the file holds.
type lossesFile struct {
	Version int    `json:"version"`
	Losses  []Loss `json:"losses"`
}

// lossKeeper keeps the account in its file.
type lossKeeper struct {
	losses *losses
	fs     disk.FS
	path   string
	log    *slog.Logger
}

// keepLosses takes in what the file says of groups and topics that there still are.
func (b *Broker) keepLosses(t *topics.Topics, groups *group.Coordinator) *lossKeeper {
	k := &lossKeeper{losses: b.metrics.losses, fs: disk.Or(b.cfg.Disk), path: filepath.Join(b.cfg.Data, lossesName), log: b.cfg.Logger}
	known, err := k.read()
	if errors.Is(err, fs.ErrNotExist) {
		return k
	} else if err != nil {
		k.log.Warn("what groups have lost to retention so far is not known, counting begins anew", "error", err)
		return k
	}
	live := map[string]bool{others: true}
	for _, c := range groups.Claims() {
		live[c.Group] = true
	}
	for _, l := range known {
		topic := t.Get(l.Topic)
		if l.Records > 0 && live[l.Group] && (l.Group == others || topic != nil && topic.Partition(l.Partition) != nil) {
			k.losses.add(lossKey{l.Group, group.Partition{Topic: l.Topic, Index: l.Partition}}, l.Records)
		}
	}
	return k
}

func (k *lossKeeper) read() ([]Loss, error) {
	data, err := disk.ReadFile(k.fs, k.path)
	if err == nil {
		data, err = durable.Unsign(data)
	}
	var content lossesFile
	if err == nil {
		err = json.Unmarshal(data, &content)
	}
	if err == nil && content.Version != lossesVersion {
		err = fmt.Errorf("it is of version %d, this program reads version %d", content.Version, lossesVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", k.path, err)
	}
	return content.Losses, nil
}

// run writes the account down when it has changed, until ctx ends.
func (k *lossKeeper) run(ctx context.Context) {
	said := false
	for {
		select {
		case <-ctx.Done():
			select {
			case <-k.losses.changed:
				k.save(&said)
			default:
			}
			return
		case <-k.losses.changed:
		}
		k.save(&said)
		pace := time.NewTimer(lossesPace)
		select {
		case <-ctx.Done(): // what came meanwhile is written above
		case <-pace.C:
		}
		pace.Stop()
	}
}

// save writes the account. On a full disk it is tried again with the next pace.
func (k *lossKeeper) save(said *bool) {
	data, err := json.Marshal(lossesFile{lossesVersion, k.losses.list()})
	if err == nil {
		err = durable.ReplaceOn(k.fs, k.path, durable.Sign(data), 0o640)
	}
	if err == nil {
		*said = false
		return
	}
	if !*said {
		*said = true
		k.log.Warn("writing down what groups have lost to retention, trying again", "error", err)
	}
	k.losses.touch()
}
