package handle

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describing asks a broker without topics for settings.
func describing(t *testing.T, version int16, asked ...kmsg.DescribeConfigsRequestResource) kmsg.Response {
	t.Helper()
	opened, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version, req.Resources, req.IncludeSynonyms, req.IncludeDocumentation = version, asked, true, true
	resp, err := New(Config{Topics: opened}).describeConfigs(t.Context(), &Request{Body: req})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestSettingsThatAreEncodedOneByOneAreWhatTheProtocolWants(t *testing.T) {
	one := kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: strconv.Itoa(int(NodeID))}
	none := kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "absent"}
	for version := range int16(5) {
		for n, asked := range [][]kmsg.DescribeConfigsRequestResource{nil, {none}, {one, none, one}} {
			encoded := describing(t, version, asked...).AppendTo([]byte("before"))
			decoded := kmsg.NewPtrDescribeConfigsResponse()
			decoded.Version = version
			if err := decoded.ReadFrom(bytes.TrimPrefix(encoded, []byte("before"))); err != nil || len(decoded.Resources) != len(asked) {
				t.Fatalf("version %d, request %d: %d resources of %d, %v", version, n, len(decoded.Resources), len(asked), err)
			}
			if !bytes.Equal(decoded.AppendTo([]byte("before")), encoded) {
				t.Errorf("version %d, request %d: other bytes than kmsg's", version, n)
			}
			for i, r := range decoded.Resources {
				if r.ResourceName != asked[i].ResourceName || (len(r.Configs) > 200) != (asked[i].ResourceName == one.ResourceName) {
					t.Errorf("version %d: %q has %d settings", version, r.ResourceName, len(r.Configs))
				}
			}
		}
	}
}

// Five bytes ask for all settings of the broker.
func TestAnAnswerOfSettingsIsBounded(t *testing.T) {
	asked := make([]kmsg.DescribeConfigsRequestResource, 2000)
	for i := range asked {
		asked[i] = kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: strconv.Itoa(int(NodeID))}
	}
	encoded := describing(t, 4, asked...).AppendTo(nil)
	if len(encoded) < mostDescribed || len(encoded) > mostDescribed+1<<20 {
		t.Fatalf("the answer has %d bytes, want about %d", len(encoded), mostDescribed)
	}
	decoded := kmsg.NewPtrDescribeConfigsResponse()
	decoded.Version = 4
	if err := decoded.ReadFrom(encoded); err != nil || len(decoded.Resources) != len(asked) {
		t.Fatalf("%d resources of %d, %v", len(decoded.Resources), len(asked), err)
	}
	if first, last := decoded.Resources[0].ErrorCode, decoded.Resources[len(asked)-1].ErrorCode; first != errNone || last != errInvalidRequest {
		t.Errorf("the first is answered with %d, the last with %d", first, last)
	}
}

func TestLongListsGrowInTime(t *testing.T) {
	var b strings.Builder
	for i := range 200_000 {
		b.WriteString(strconv.Itoa(i) + ",")
	}
	began := time.Now()
	grown := changeList("first", b.String(), opAppend)
	shrunk := changeList(grown, b.String(), opSubtract)
	if took := time.Since(began); shrunk != "first" || strings.Count(grown, ",") != 200_000 || took > 15*time.Second {
		t.Errorf("a list of 200000 parts changed in %v, and %q is left of it", took, shrunk[:min(len(shrunk), 20)])
	}
}

func TestMessagesForClientsAreBounded(t *testing.T) {
	if _, message := topicError(errors.New(strings.Repeat("x", 1<<20))); len(*message) > 1<<15-1 {
		t.Errorf("a message of %d bytes, whose length older versions cannot say", len(*message))
	}
}

func TestARequestOfManyPartsEndsInTimeAndWithTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{})
		turn := h.spell(time.Minute)
		time.Sleep(59 * time.Second)
		if err := turn.late(); err != nil {
			t.Errorf("before its end: %v", err)
		}
		time.Sleep(2 * time.Second)
		if code, _ := topicError(turn.late()); code != errRequestTimedOut {
			t.Errorf("after its end: code %d", code)
		}
		h.Drain()
		turn = h.spell(time.Minute)
		if err := turn.late(); err != nil {
			t.Errorf("a short one while the broker goes down: %v", err)
		}
		time.Sleep(2 * lastMoment)
		if turn.late() == nil {
			t.Error("a long one goes on while the broker goes down")
		}
	})
}

// Twelve bytes ask whether a topic could be made, and the answer names all its settings.
func TestADryRunHasNoMoreRoomThanTheBroker(t *testing.T) {
	opened, err := topics.Open(topics.Config{Dir: t.TempDir(), MaxPartitions: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.ValidateOnly = 7, true
	for i := range 30 {
		req.Topics = append(req.Topics, kmsg.CreateTopicsRequestTopic{Topic: strconv.Itoa(i), NumPartitions: 1, ReplicationFactor: 1})
	}
	resp, err := New(Config{Topics: opened}).createTopics(t.Context(), &Request{Body: req})
	if err != nil {
		t.Fatal(err)
	}
	for i, topic := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if (topic.ErrorCode == errNone) != (i < 10) || (len(topic.Configs) > 0) != (i < 10) {
			t.Errorf("topic %d of 30 where 10 have room: code %d, %d settings", i, topic.ErrorCode, len(topic.Configs))
		}
	}
}

func TestAPartitionIsMeasuredOnceHoweverOftenItIsNamed(t *testing.T) {
	opened, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if _, err := opened.Create("t", 3, nil); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrDescribeLogDirsRequest()
	for _, partitions := range [][]int32{{}, {0, 0, 7}, {2}, nil} {
		req.Topics = append(req.Topics, kmsg.DescribeLogDirsRequestTopic{Topic: "t", Partitions: partitions})
	}
	resp, err := New(Config{Topics: opened}).describeLogDirs(t.Context(), &Request{Body: req})
	if err != nil {
		t.Fatal(err)
	}
	got := resp.(*kmsg.DescribeLogDirsResponse).Dirs[0].Topics
	if len(got) != 1 || len(got[0].Partitions) != 2 {
		t.Errorf("answered %+v, want partitions 0 and 2 of one topic", got)
	}
}

// The client of a connection that nobody reads may be gone for long.
func TestAConnectionIsNotLeftAloneForWeeks(t *testing.T) {
	opened, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	synctest.Test(t, func(t *testing.T) {
		h, s := New(Config{Topics: opened}), NewSession(Peer{}, nil)
		s.peer.mute.extend(time.Now(), time.Minute)
		began := time.Now()
		if err := h.Muted(t.Context(), s); err != nil || time.Since(began) != time.Minute {
			t.Errorf("left alone for %v, %v, want a minute", time.Since(began), err)
		}
		s.peer.mute.extend(time.Now(), 24*time.Hour)
		began = time.Now()
		if err := h.Muted(t.Context(), s); err == nil || time.Since(began) != 10*time.Minute {
			t.Errorf("left alone for %v, %v, want the end of the connection after ten minutes", time.Since(began), err)
		}
	})
}
