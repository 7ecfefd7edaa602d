package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicLine is what topic list shows of one topic.
type topicLine struct {
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
	Internal   bool   `json:"internal"`
}

// topicDetail is what topic describe shows.
type topicDetail struct {
	Topic      string            `json:"topic"`
	ID         string            `json:"id"` // as Kafka writes it; "" from brokers before 2.8
	Partitions []partitionDetail `json:"partitions"`
	Configs    map[string]string `json:"configs"` // in force, defaults included
	overrides  []string          // names of those set for this topic, in order
}

// partitionDetail is one partition of it; Latest is not there yet.
type partitionDetail struct {
	Partition int32  `json:"partition"`
	Earliest  int64  `json:"earliest"`
	Latest    int64  `json:"latest"`
	Bytes     *int64 `json:"bytes"` // on the leader's disk; null when the broker does not say
}

// summary is the topic in a few words.
func (d *topicDetail) summary() string {
	var records, bytes int64
	known := true
	for _, p := range d.Partitions {
		records += p.Latest - p.Earliest
		if known = known && p.Bytes != nil; known {
			bytes += *p.Bytes
		}
	}
	s := plural(len(d.Partitions), "partition") + ", " + plural(int(records), "record")
	if known {
		s += ", " + plural(int(bytes), "byte")
	}
	return s
}

// versions asks the broker which versions it speaks: the highest of each request.
func (c *cluster) versions(ctx context.Context) (map[int16]int16, error) {
	resp, err := c.ask(ctx, kmsg.NewPtrApiVersionsRequest())
	if err != nil {
		return nil, err
	}
	highest := map[int16]int16{}
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		highest[k.ApiKey] = k.MaxVersion
	}
	return highest, nil
}

// topics lists all topics by name.
func (c *cluster) topics(ctx context.Context) ([]topicLine, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 4 // a null list asks for all
	resp, err := c.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	list := []topicLine{}
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		l := topicLine{Topic: *t.Topic, Partitions: len(t.Partitions), Internal: t.IsInternal}
		if len(t.Partitions) > 0 {
			l.Replicas = len(t.Partitions[0].Replicas)
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b topicLine) int { return strings.Compare(a.Topic, b.Topic) })
	return list, nil
}

// notInternal refuses what the brokers live by.
func (c *cluster) notInternal(ctx context.Context, topic, what string) error {
	req, t := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	req.Version, t.Topic = 4, &topic
	req.Topics = append(req.Topics, t)
	resp, err := c.ask(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		if t.IsInternal {
			return fmt.Errorf("topic %s is the brokers' own, what groups and transactions have written lies there: it is not %s by hand", topic, what)
		}
	}
	return nil
}

// describe gathers all that is known of one topic.
func (c *cluster) describe(ctx context.Context, topic string) (*topicDetail, error) {
	leaders, err := c.leaders(ctx, topic)
	if err != nil {
		return nil, err
	}
	held, err := c.held(ctx, topic, leaders)
	if err != nil {
		return nil, err
	}
	versions, err := c.versions(ctx)
	if err != nil {
		return nil, err
	}
	d := &topicDetail{Topic: topic, Configs: map[string]string{}}
	sizes := map[int32]int64{}
	for key, ask := range map[int16]func() error{
		3:  func() error { return c.topicID(ctx, d, versions[3]) },
		32: func() error { return c.settings(ctx, d) },
		35: func() error { sizes, err = c.sizes(ctx, topic, leaders); return err },
	} {
		if _, spoken := versions[key]; !spoken {
			continue
		}
		if err := ask(); err != nil {
			return nil, fmt.Errorf("describing topic %s: %w", topic, err)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(held)) {
		p := partitionDetail{Partition: n, Earliest: int64(held[n].start), Latest: int64(held[n].end)}
		if size, known := sizes[n]; known {
			p.Bytes = &size
		}
		d.Partitions = append(d.Partitions, p)
	}
	return d, nil
}

// topicID asks for the id, which Metadata carries from version 10 on.
func (c *cluster) topicID(ctx context.Context, d *topicDetail, highest int16) error {
	if highest < 10 {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 10
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &d.Topic
	req.Topics = append(req.Topics, t)
	resp, err := c.ask(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		d.ID = base64.RawURLEncoding.EncodeToString(t.TopicID[:])
	}
	return nil
}

// idOf is the topic's id as Kafka writes it, "" from brokers that give none.
func (c *cluster) idOf(ctx context.Context, topic string) (string, error) {
	if _, err := c.leaders(ctx, topic); err != nil {
		return "", err
	}
	versions, err := c.versions(ctx)
	if err != nil {
		return "", err
	}
	d := topicDetail{Topic: topic}
	if err := c.topicID(ctx, &d, versions[3]); err != nil || strings.Trim(d.ID, "A") == "" { // all zero stands for none
		return "", err
	}
	return d.ID, nil
}

// settings asks for the topic's configuration.
func (c *cluster) settings(ctx context.Context, d *topicDetail) error {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 1
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, d.Topic
	req.Resources = append(req.Resources, r)
	resp, err := c.ask(ctx, req)
	if err != nil {
		return err
	}
	for _, r := range resp.(*kmsg.DescribeConfigsResponse).Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return err
		}
		for _, s := range r.Configs {
			if s.Value == nil {
				continue
			}
			d.Configs[s.Name] = *s.Value
			if s.Source == kmsg.ConfigSourceDynamicTopicConfig {
				d.overrides = append(d.overrides, s.Name)
			}
		}
	}
	slices.Sort(d.overrides)
	return nil
}

// sizes asks each leader how much its partitions take on disk.
func (c *cluster) sizes(ctx context.Context, topic string, leaders map[int32]string) (map[int32]int64, error) {
	sizes := map[int32]int64{}
	for addr, partitions := range byLeader(leaders) {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 1
		t := kmsg.NewDescribeLogDirsRequestTopic()
		t.Topic, t.Partitions = topic, partitions
		req.Topics = append(req.Topics, t)
		conn, err := c.conn(ctx, addr)
		if err != nil {
			return nil, err
		}
		resp, err := conn.Call(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, dir := range resp.(*kmsg.DescribeLogDirsResponse).Dirs {
			for _, t := range dir.Topics {
				for _, p := range t.Partitions {
					sizes[p.Partition] += p.Size
				}
			}
		}
	}
	return sizes, nil
}
