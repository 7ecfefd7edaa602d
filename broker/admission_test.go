package broker_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/testca"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// taken dials an address n times and says how many of the connections are served while all are open.
func taken(t *testing.T, addr string, n int) int {
	t.Helper()
	served := 0
	for range n {
		conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		send(t, conn, 0, kmsg.NewPtrApiVersionsRequest())
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			served++
		}
	}
	return served
}

func TestListenersAndAddressesHaveLimitsOfTheirOwn(t *testing.T) {
	r := start(t, broker.Config{Listen: []string{"SMALL://127.0.0.1:0", "LARGE://127.0.0.1:0"}, Settings: map[string]string{
		"listener.name.small.max.connections": "2", "max.connections.per.ip": "1", "max.connections.per.ip.overrides": "10.0.0.1:9, [::ffff:127.0.0.1]:5"}})
	for _, c := range []struct {
		name      string
		dial, get int
	}{{"SMALL", 4, 2}, {"LARGE", 5, 3}} { // five from this address together
		if got := taken(t, r.addrOf(c.name), c.dial); got != c.get {
			t.Errorf("%s: %d of %d are served, want %d", c.name, got, c.dial, c.get)
		}
	}
	for _, limit := range []string{"listener.max.connections are open", "max.connections.per.ip are open"} {
		if r.log.count(limit) == 0 {
			t.Errorf("the log does not say that %s:\n%s", limit, r.log)
		}
	}
}

func TestALimitThatIsGivenBackIsFreeAgain(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"listener.name.plaintext.max.connections": "1", "max.connections.per.ip": "1"}})
	for range 3 {
		eventually(t, "a place", func() bool {
			conn := r.raw()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			send(t, conn, 0, kmsg.NewPtrApiVersionsRequest())
			_, err := conn.Read(make([]byte, 1))
			return err == nil
		})
	}
}

// What protects a listener must not be lost over a letter of its name.
func TestAListenersSettingsCountInUpperAndLowerCase(t *testing.T) {
	ca := testca.New(t)
	for _, name := range []string{"outside", "OUTSIDE", "Outside"} {
		r := start(t, broker.Config{Listen: []string{"OUTSIDE://127.0.0.1:0"}, Settings: map[string]string{"listener.security.protocol.map": "OUTSIDE:SSL",
			"ssl.keystore.location": ca.Store("broker"), "ssl.truststore.location": ca.File, "listener.name." + name + ".ssl.client.auth": "required",
			"listener.name.outsied.ssl.client.auth": "required", "listener.name.controller.ssl.client.auth": "none", "controller.listener.names": "CONTROLLER"}})
		conn, err := tls.Dial("tcp", r.addr, trusting(t, ca))
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("%s: without a certificate: %v", name, err)
		}
		if r.log.count("listeners that there are not: outsied") != 1 {
			t.Errorf("nothing is said of a slip in a listener's name:\n%s", r.log)
		}
	}
}
