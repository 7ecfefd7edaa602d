package broker_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
)

// freePort is a port of this machine that nobody had a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestWithoutListenersTheAdvertisedPortsAreListenedOn(t *testing.T) {
	inside, outside := freePort(t), freePort(t)
	r := start(t, broker.Config{Listen: []string{}, Settings: map[string]string{
		"advertised.listeners":           "INTERNAL://broker:" + inside + ",EXTERNAL://localhost:" + outside + ",CONTROLLER://broker:1",
		"listener.security.protocol.map": "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT", "controller.listener.names": "CONTROLLER"}})
	wantTold(t, kafka.Config{}, "127.0.0.1:"+inside, "broker:"+inside)
	wantTold(t, kafka.Config{}, "127.0.0.1:"+outside, "localhost:"+outside)
	if len(r.addrs) != 2 || r.log.count("LISTENING BEYOND THIS MACHINE") != 2 || r.log.count("those of advertised.listeners") != 1 {
		t.Errorf("listeners are %q, and the log says\n%s", r.addrs, r.log)
	}
}

func TestListenersOfKafkasFirstYears(t *testing.T) {
	port, told := freePort(t), freePort(t)
	for _, c := range []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"port": port, "host.name": "127.0.0.1", "advertised.host.name": "logs.example", "advertised.port": told}, "logs.example:" + told},
		{map[string]string{"port": port, "host.name": "127.0.0.1", "advertised.host.name": "logs.example"}, "logs.example:" + port},
		{map[string]string{"port": port, "host.name": "localhost", "advertised.port": told}, "localhost:" + told},
		{map[string]string{"port": port, "host.name": "127.0.0.1", "advertised.listeners": "PLAINTEXT://lb:" + told}, "lb:" + told},
		{map[string]string{"port": port}, "127.0.0.1:" + port},
	} {
		r := start(t, broker.Config{Listen: []string{}, Settings: c.set})
		wantTold(t, kafka.Config{}, "127.0.0.1:"+port, c.want)
		if r.log.count("no listeners are given") != 1 || r.log.count("have no effect here") != 0 {
			t.Errorf("%v: the log says\n%s", c.set, r.log)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	newer := start(t, broker.Config{Listen: []string{}, Settings: map[string]string{"listeners": "PLAINTEXT://127.0.0.1:0", "port": "1", "advertised.host.name": "old", "advertised.port": "1"}})
	wantTold(t, kafka.Config{}, newer.addr, newer.addr)
}

func TestAPortThatIsAdvertisedAndNotListenedOnIsSaid(t *testing.T) {
	busy, err := net.Listen("tcp", broker.DefaultListen)
	if err != nil {
		t.Skipf("the default port is taken: %v", err)
	}
	busy.Close()
	r := start(t, broker.Config{Listen: []string{}, Advertise: []string{"localhost:19092"}})
	if r.log.count("level=WARN") != 1 || r.log.count("19092") != 1 || r.log.count("--broker-listen") != 1 {
		t.Errorf("the log says\n%s", r.log)
	}
}

func TestAnErrorAboutListenersSaysThePlaceAndTheMend(t *testing.T) {
	place := func(name string) string {
		return map[string]string{"listeners": "KAFKA_LISTENERS", "num.partitions": "server.properties line 3"}[name]
	}
	for _, c := range []struct {
		cfg  broker.Config
		want []string
	}{
		{broker.Config{Listen: []string{"A://127.0.0.1:0", "B://127.0.0.1:0"}, Advertise: []string{"C://x:1"}}, []string{"--advertise", "names no listener", "A, B", "C://HOST:PORT", "--broker-listen"}},
		{broker.Config{Settings: map[string]string{"listeners": "A://127.0.0.1:0", "advertised.listeners": "C://x:1"}}, []string{"advertised.listeners", "names no listener", "A", "C://HOST:PORT to listeners"}},
		{broker.Config{Settings: map[string]string{"listeners": "A://127.0.0.1"}}, []string{"KAFKA_LISTENERS: listeners", "must be host:port"}},
		{broker.Config{Settings: map[string]string{"listeners": "PLAINTEXT://203.0.113.7:9092"}}, []string{"203.0.113.7:9092", "KAFKA_LISTENERS"}},
		{broker.Config{Settings: map[string]string{"num.partitions": "x"}}, []string{"server.properties line 3: Invalid value x"}},
		{broker.Config{Listen: []string{"A://127.0.0.1:9999", "B://0.0.0.0:9999"}}, []string{"--broker-listen", "B://0.0.0.0:9999", "port 9999 is given twice"}},
		{broker.Config{Listen: []string{"127.0.0.1"}}, []string{"--broker-listen"}},
		{broker.Config{Advertise: []string{"a:1", "b:2"}}, []string{"--advertise"}},
		{broker.Config{Listen: []string{"SAS_SSL://127.0.0.1:0"}}, []string{"SAS_SSL", "did you mean SASL_SSL?", "listener.security.protocol.map=SAS_SSL:"}},
		{broker.Config{Listen: []string{"SLL://127.0.0.1:0"}}, []string{"did you mean SSL?"}},
		{broker.Config{Listen: []string{"SASL_PLAIN://127.0.0.1:0"}}, []string{"SASL_PLAIN is no protocol", "SASL_PLAINTEXT", "listener.security.protocol.map=SASL_PLAIN:"}},
		{broker.Config{Settings: map[string]string{"listeners": "PLAINTXT://127.0.0.1:0"}}, []string{"did you mean PLAINTEXT?"}},
		{broker.Config{TLSCert: "x"}, []string{"--tls-cert and --tls-key"}},
	} {
		c.cfg.Data, c.cfg.Place = t.TempDir(), place
		b, err := broker.New(c.cfg)
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // it must not serve
			err = b.Run(ctx)
			cancel()
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		for _, field := range []string{"Listen ", "Advertise ", "TLSCert"} {
			if err != nil && strings.Contains(err.Error(), field) {
				t.Errorf("%v: %s is a name of the program's inside", err, field)
			}
		}
	}
}

func TestTheLogSaysWhatEachListenerSpeaks(t *testing.T) {
	r := start(t, broker.Config{Listen: []string{"EDGE://127.0.0.1:0", "PLAINTEXT://127.0.0.1:0", "MAPPED://127.0.0.1:0", "SSLX://127.0.0.1:0"},
		Settings: map[string]string{"listener.security.protocol.map": "EDGE:PLAINTEXT,MAPPED:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT,SSLX:PLAINTEXT"}})
	for _, want := range []string{"EDGE://" + r.addrOf("EDGE") + " (PLAINTEXT)", " (SASL_PLAINTEXT)", "PLAINTEXT://" + r.addrOf("PLAINTEXT") + ","} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("%q is not said:\n%s", want, r.log)
		}
	}
}
