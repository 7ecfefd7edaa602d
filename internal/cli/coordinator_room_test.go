package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker whose reserve is used up says that the coordinator is not available, which tells nobody anything.
func TestAGroupWithoutACoordinatorForWantOfRoomIsToldWhy(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked := req.(*kmsg.DescribeConfigsRequest)
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		r, s := kmsg.NewDescribeConfigsResponseResource(), kmsg.NewDescribeConfigsResponseResourceConfig()
		value := `{"folder":"/srv","why":"the disk of /srv is full: make room there"}`
		s.Name, s.Value = diskSetting, &value
		r.ResourceType, r.ResourceName, r.Configs = asked.Resources[0].ResourceType, asked.Resources[0].ResourceName, append(r.Configs, s)
		resp.Resources = append(resp.Resources, r)
		return resp, nil, true
	})
	g := &globals{brokers: c.ListenAddrs()}
	away := fmt.Errorf("joining: %w", sarama.ErrConsumerCoordinatorNotAvailable)
	if err := g.whyRefused(t.Context(), away); !errors.Is(err, away) || !strings.HasSuffix(err.Error(), ": writers wait: the disk of /srv is full: make room there") {
		t.Errorf("it says %v", err)
	}
	if other := errors.New("another"); g.whyRefused(t.Context(), other) != other {
		t.Error("what has nothing to do with room is said to")
	}
}
