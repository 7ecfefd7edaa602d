package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// diskStatus is what a loghaul broker says about the room on its disk; other brokers say nothing.
type diskStatus struct {
	Folder  string        `json:"folder"`            // on the broker's machine
	Damaged []string      `json:"damaged,omitempty"` // what readers are refused because its bytes are damaged or lost
	Used    int64         `json:"used"`              // by all topics, in bytes
	Budget  int64         `json:"budget"`            // 0: none
	Free    int64         `json:"free"`
	OnFull  string        `json:"on_full"`
	Full    bool          `json:"full"`
	Why     string        `json:"why,omitempty"` // why writers wait
	Blocked []diskBlocker `json:"blocked"`
	Dropped []diskDropped `json:"dropped"`
	Refused int64         `json:"refused_batches"`
	Lost    []diskLoss    `json:"lost"`

	Unreadable []diskUnreadable `json:"unreadable,omitempty"` // the offsets of Damaged
}

// diskUnreadable are offsets that are damaged or lost: from From on and before To.
type diskUnreadable struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	From      record.Offset `json:"from"`
	To        record.Offset `json:"to"`
}

// diskBlocker is a group that keeps writers waiting: what it has not read may not be deleted.
type diskBlocker struct {
	Group      string `json:"group"` // empty: nobody reads the topic
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"` // -1: all
	LagRecords int64  `json:"lag_records"`
}

// diskDropped is what went for room since the broker's start.
type diskDropped struct {
	Topic   string `json:"topic"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
}

// diskLoss is what a group has lost in one partition.
type diskLoss struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Records   int64  `json:"records"`
}

// diskSetting is the name by which a loghaul broker is asked for it.
const diskSetting = "loghaul.disk"

// disk asks the only broker of a cluster about its disk; nil: it does not say, or there are several, which are no
// loghaul's.
func (c *cluster) disk(ctx context.Context) *diskStatus {
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version, meta.Topics = 4, []kmsg.MetadataRequestTopic{}
	resp, err := c.ask(ctx, meta)
	if err != nil || len(resp.(*kmsg.MetadataResponse).Brokers) != 1 {
		return nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 1
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(resp.(*kmsg.MetadataResponse).Brokers[0].NodeID))
	r.ConfigNames = []string{diskSetting}
	req.Resources = append(req.Resources, r)
	if resp, err = c.ask(ctx, req); err != nil {
		return nil
	}
	for _, r := range resp.(*kmsg.DescribeConfigsResponse).Resources {
		for _, s := range r.Configs {
			var d diskStatus
			if kerr.ErrorForCode(r.ErrorCode) == nil && s.Name == diskSetting && s.Value != nil && json.Unmarshal([]byte(*s.Value), &d) == nil {
				return &d
			}
		}
	}
	return nil
}

// stands is how the disk stands, in a line; empty: nobody says.
func (d *diskStatus) stands() string {
	if d == nil || d.Folder == "" {
		return ""
	}
	limit := ""
	if d.Budget > 0 {
		limit = fmt.Sprintf(" of a budget of %s (--on-full %s)", sizeText(d.Budget), d.OnFull)
	}
	free := ""
	if d.Free >= 0 {
		free = fmt.Sprintf(", the disk has %s free", sizeText(d.Free))
	}
	return fmt.Sprintf("topics take %s%s under %s%s", sizeText(d.Used), limit, d.Folder, free)
}

// sizeText writes a size for people: 1.5 GiB.
func sizeText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return plural(int(n), "byte")
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// waiting is why writers wait; empty: they do not.
func (d *diskStatus) waiting() string {
	if d == nil || d.Why == "" {
		return ""
	}
	return "writers wait: " + d.Why
}

// degraded is the first thing about the disk that someone should look after; empty: nothing. What is lost of the broker's
// own topics nobody can give up with a trim: it is only told.
func (d *diskStatus) degraded() string {
	if why := d.waiting(); why != "" || d == nil {
		return why
	}
	var first string
	count := 0
	for _, u := range d.Unreadable {
		if u.Topic == "__consumer_offsets" || u.Topic == "__transaction_state" {
			continue
		}
		if count++; count == 1 {
			first = fmt.Sprintf("offsets %d to %d of %s/%d are damaged or lost, until they are put back or trimmed", u.From, u.To-1, u.Topic, u.Partition)
		}
	}
	if count > 1 {
		first += fmt.Sprintf(", and %s more", plural(count-1, "place"))
	}
	return first
}

// gone is what cannot be read any more, and what was dropped for room, a line for each.
func (d *diskStatus) gone() []string {
	if d == nil {
		return nil
	}
	lines := slices.Clone(d.Damaged)
	for _, t := range d.Dropped {
		lines = append(lines, fmt.Sprintf("dropped for room since the broker's start: %s of %s, %s", plural(int(t.Records), "record"), t.Topic, plural(int(t.Bytes), "byte")))
	}
	return lines
}
