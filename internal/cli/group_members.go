package cli

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupMember is one member of a group, and what it is to read.
type groupMember struct {
	ID       string          `json:"id"`
	Client   string          `json:"client"`
	Host     string          `json:"host"`
	Assigned []groupAssigned `json:"assigned"`
}

// groupAssigned are a member's partitions of one topic.
type groupAssigned struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// text is an assignment in one cell: web_log 0,1 other 3.
func (m *groupMember) text() string {
	var parts []string
	for _, a := range m.Assigned {
		var list []string
		for _, p := range a.Partitions {
			list = append(list, strconv.Itoa(int(p)))
		}
		parts = append(parts, a.Topic+" "+strings.Join(list, ","))
	}
	return strings.Join(parts, " ")
}

// classicMembers are the members of a group of the classic protocol. What a member that is no ordinary consumer was
// assigned is its own affair.
func classicMembers(d *sarama.GroupDescription) []groupMember {
	list := []groupMember{}
	for _, id := range slices.Sorted(maps.Keys(d.Members)) {
		m := d.Members[id]
		member := groupMember{ID: id, Client: m.ClientId, Host: strings.TrimPrefix(m.ClientHost, "/"), Assigned: []groupAssigned{}}
		if a, err := m.GetMemberAssignment(); err == nil && a != nil {
			for _, topic := range slices.Sorted(maps.Keys(a.Topics)) {
				slices.Sort(a.Topics[topic])
				member.Assigned = append(member.Assigned, groupAssigned{topic, a.Topics[topic]})
			}
		}
		list = append(list, member)
	}
	return list
}

// askNewer asks for a group of the newer protocol (KIP-848); where there is none of that name the group stays as it is.
func (s *groupStatus) askNewer(ctx context.Context, c *cluster) error {
	conn, err := c.coordinator(ctx, s.Group)
	if err != nil {
		return err
	}
	resp, err := conn.Call(ctx, kmsg.NewPtrApiVersionsRequest())
	if err != nil {
		return err
	}
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	if !slices.ContainsFunc(resp.(*kmsg.ApiVersionsResponse).ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == req.Key() }) {
		return nil // a broker that does not know that protocol
	}
	req.Groups = []string{s.Group}
	if resp, err = conn.Call(ctx, req); err != nil {
		return err
	}
	for _, d := range resp.(*kmsg.ConsumerGroupDescribeResponse).Groups {
		if kerr.ErrorForCode(d.ErrorCode) != nil {
			continue
		}
		s.State, s.Members = d.State, len(d.Members)
		for _, m := range d.Members {
			member := groupMember{ID: m.MemberID, Client: m.ClientID, Host: strings.TrimPrefix(m.ClientHost, "/"), Assigned: []groupAssigned{}}
			for _, a := range m.Assignment.TopicPartitions {
				member.Assigned = append(member.Assigned, groupAssigned{a.Topic, a.Partitions})
			}
			s.members = append(s.members, member)
		}
	}
	return nil
}

// coordinator is the connection to the broker that keeps a group.
func (c *cluster) coordinator(ctx context.Context, group string) (conn interface {
	Call(context.Context, kmsg.Request) (kmsg.Response, error)
}, err error) {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKey = 1, group
	resp, err := c.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	at := resp.(*kmsg.FindCoordinatorResponse)
	if err := kerr.ErrorForCode(at.ErrorCode); err != nil {
		return nil, fmt.Errorf("asking who keeps group %s: %w", group, err)
	}
	return c.conn(ctx, net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))))
}
