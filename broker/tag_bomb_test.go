package broker_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// soon is more time than it takes to refuse a request, and less than it takes to count the tags of a bomb.
const soon = 5 * time.Second

// tagBomb is a section that says it holds 268 million tags, and holds none.
const tagBomb = "\xff\xff\xff\x7f"

// bombed is a request of this version whose last tag section is a bomb.
func bombed(t *testing.T, key kmsg.Key, version int16) []byte {
	t.Helper()
	req := kmsg.RequestForKey(int16(key))
	if req.SetVersion(version); !req.IsFlexible() {
		t.Fatalf("%s %d has no tags", key.Name(), version)
	}
	body := req.AppendTo([]byte{0}) // the header's tags
	return plainFrame(key, version, append(body[:len(body)-1], tagBomb...))
}

// plainFrame is a request without a client id.
func plainFrame(key kmsg.Key, version int16, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	return append(append(b, 0, 0, 0, 1, 0xff, 0xff), body...)
}

// wantRefusal sends a frame and wants the connection closed soon.
func (r *running) wantRefusal(what string, conn net.Conn, frame []byte) {
	r.t.Helper()
	if _, err := conn.Write(frame); err != nil {
		r.t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(soon)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
		r.t.Errorf("%s: %v, want the connection closed", what, err)
	}
	peer := conn.LocalAddr().String()
	eventually(r.t, "one line about "+peer, func() bool { return r.log.count(peer) == 1 })
}

// A few bytes can say that billions of tags follow. Who believes that counts for a minute.
func TestTagBombsCloseTheConnectionAtOnce(t *testing.T) {
	for _, c := range []struct {
		key         kmsg.Key
		first, last int16
	}{
		{kmsg.Produce, 9, 11},
		{kmsg.Fetch, 12, 16},
		{kmsg.ListOffsets, 6, 10},
		{kmsg.Metadata, 9, 13},
		{kmsg.OffsetCommit, 8, 9},
		{kmsg.OffsetFetch, 6, 9},
		{kmsg.FindCoordinator, 3, 6},
		{kmsg.JoinGroup, 6, 9},
		{kmsg.SyncGroup, 4, 5},
		{kmsg.ApiVersions, 3, 4},
		{kmsg.CreateTopics, 5, 7},
		{kmsg.InitProducerID, 2, 5},
		{kmsg.TxnOffsetCommit, 3, 4},
		{kmsg.AlterClientQuotas, 1, 1},
		{kmsg.ConsumerGroupHeartbeat, 0, 1},
	} {
		r := start(t, broker.Config{}) // each with its own log, which leaves out lines when there are many
		served := r.dial()
		for version := c.first; version <= c.last; version++ {
			r.wantRefusal(fmt.Sprintf("%s %d", c.key.Name(), version), r.raw(), bombed(t, c.key, version))
		}
		if got := call[*kmsg.MetadataResponse](t, served, 12, kmsg.NewPtrMetadataRequest()); len(got.Brokers) != 1 {
			t.Errorf("afterwards another client is told of %d brokers", len(got.Brokers))
		}
		if t.Failed() {
			t.FailNow() // each keeps a processor busy
		}
	}
}

func TestTagBombsInEveryPlace(t *testing.T) {
	r := start(t, broker.Config{})
	r.wantRefusal("in the header", r.raw(), plainFrame(kmsg.Metadata, 9, []byte(tagBomb)))
	r.wantRefusal("in an element", r.raw(), plainFrame(kmsg.Metadata, 9, []byte("\x00\x02\x02x"+tagBomb+"\x01\x00\x00\x00")))
	r.wantRefusal("of half a million tags", r.raw(), plainFrame(kmsg.Metadata, 9, []byte("\x00\x01\x01\x00\x00\xff\xff\x1f")))
	if want := "Metadata (key 3) version 9: malformed request: its 11 bytes end before field tags does"; r.log.count(want) != 1 {
		t.Errorf("the log does not say %q", want)
	}
}

func TestTagBombsBeforeTheLogin(t *testing.T) {
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}})
	for version := int16(3); version <= 4; version++ {
		r.wantRefusal(fmt.Sprintf("ApiVersions %d", version), r.raw(), bombed(t, kmsg.ApiVersions, version))
	}
	conn := r.raw()
	if _, err := conn.Write(plainFrame(kmsg.SASLHandshake, 1, []byte("\x00\x05PLAIN"))); err != nil {
		t.Fatal(err)
	}
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(length[:]))); err != nil {
		t.Fatal(err)
	}
	r.wantRefusal("SaslAuthenticate 2", conn, bombed(t, kmsg.SASLAuthenticate, 2))
}
