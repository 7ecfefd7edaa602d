package broker_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/testca"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// addrOf is the address of a named listener.
func (r *running) addrOf(name string) string {
	r.t.Helper()
	for _, a := range r.addrs {
		if addr, ok := strings.CutPrefix(a, name+"://"); ok {
			return addr
		}
	}
	r.t.Fatalf("no listener %s among %q", name, r.addrs)
	return ""
}

// toldBy is what Metadata, FindCoordinator and DescribeCluster say the broker's address is.
func toldBy(t *testing.T, c kafka.Config, addr string) []string {
	t.Helper()
	conn, err := c.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := call[*kmsg.MetadataResponse](t, conn, 9, kmsg.NewPtrMetadataRequest()).Brokers[0]
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "g"
	f := call[*kmsg.FindCoordinatorResponse](t, conn, 2, find)
	d := call[*kmsg.DescribeClusterResponse](t, conn, 0, kmsg.NewPtrDescribeClusterRequest()).Brokers[0]
	return []string{fmt.Sprintf("%s:%d", m.Host, m.Port), fmt.Sprintf("%s:%d", f.Host, f.Port), fmt.Sprintf("%s:%d", d.Host, d.Port)}
}

func wantTold(t *testing.T, c kafka.Config, addr, want string) {
	t.Helper()
	for i, got := range toldBy(t, c, addr) {
		if got != want {
			t.Errorf("%s: %s says %s, want %s", addr, []string{"Metadata", "FindCoordinator", "DescribeCluster"}[i], got, want)
		}
	}
}

func TestEachListenerNamesItsOwnAddress(t *testing.T) {
	r := start(t, broker.Config{Listen: []string{"INTERNAL://127.0.0.1:0", "EXTERNAL://127.0.0.1:0", "PLAIN://127.0.0.1:0"},
		Advertise: []string{"EXTERNAL://logs.example:9094", "INTERNAL://10.0.0.7:29092", "PLAIN://127.0.0.1:1"}})
	wantTold(t, kafka.Config{}, r.addrOf("INTERNAL"), "10.0.0.7:29092")
	wantTold(t, kafka.Config{}, r.addrOf("EXTERNAL"), "logs.example:9094")
	dialled := start(t, broker.Config{Listen: []string{"INTERNAL://127.0.0.1:0", "EXTERNAL://127.0.0.1:0"}})
	for _, name := range []string{"INTERNAL", "EXTERNAL"} {
		wantTold(t, kafka.Config{}, dialled.addrOf(name), dialled.addrOf(name))
	}
}

func TestListenersOfTheSettings(t *testing.T) {
	ca := testca.New(t)
	r := start(t, broker.Config{Listen: []string{}, Settings: map[string]string{
		"listeners":                      "PLAINTEXT://127.0.0.1:0, SECURE://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
		"advertised.listeners":           "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093,SECURE://:9443",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURE:SSL,CONTROLLER:PLAINTEXT",
		"controller.listener.names":      "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
		"listener.name.secure.ssl.keystore.location": ca.Store("broker"), "ssl.keystore.location": "/nowhere",
	}})
	if len(r.addrs) != 2 || r.log.count("left out") != 1 || !strings.Contains(r.log.String(), "CONTROLLER") {
		t.Errorf("listeners are %q, and the log says\n%s", r.addrs, r.log)
	}
	wantTold(t, kafka.Config{}, r.addrOf("PLAINTEXT"), "localhost:9092")
	wantTold(t, kafka.Config{CA: ca.File}, r.addrOf("SECURE"), "127.0.0.1:9443")
	flags := start(t, broker.Config{Listen: []string{"127.0.0.1:0"}, Settings: map[string]string{"listeners": "A://127.0.0.1:0,B://127.0.0.1:0"}})
	if len(flags.addrs) != 1 {
		t.Errorf("listeners typed must win, but there are %q", flags.addrs)
	}
}

func TestClientsOfTLSAreToldTheNameTheyDialled(t *testing.T) {
	ca := testca.New(t)
	r := start(t, broker.Config{Listen: []string{"SSL://127.0.0.1:0"}, Settings: map[string]string{"ssl.keystore.location": ca.Store("broker")}})
	_, port, _ := net.SplitHostPort(r.addr)
	wantTold(t, kafka.Config{CA: ca.File}, "localhost:"+port, "localhost:"+port)
	wantTold(t, kafka.Config{CA: ca.File}, r.addr, r.addr)
}

func TestWrongListenersAreRefusedWithAReason(t *testing.T) {
	for want, cfg := range map[string]broker.Config{
		"says no protocol for listener B":            {Listen: []string{"B://127.0.0.1:0"}, Settings: map[string]string{"listener.security.protocol.map": "A:PLAINTEXT"}},
		"must be NAME:PROTOCOL":                      {Settings: map[string]string{"listener.security.protocol.map": "A:TLS"}},
		"another listener has that name":             {Listen: []string{"A://127.0.0.1:0", "a://127.0.0.1:0"}},
		"is no address that a client can reach":      {Advertise: []string{"0.0.0.0:9092"}},
		"must be ADDRESS:COUNT, with an IP":          {Settings: map[string]string{"max.connections.per.ip.overrides": "localhost:3"}},
		"with a number from 0 up":                    {Settings: map[string]string{"max.connections.per.ip.overrides": "::1:3,[::2]:-1"}},
		"names no listener":                          {Listen: []string{"A://127.0.0.1:0"}, Advertise: []string{"B://x:1"}},
		"for controllers only":                       {Listen: []string{}, Settings: map[string]string{"listeners": "C://:1", "controller.listener.names": "C"}},
		"needs a certificate":                        {Listen: []string{"SSL://127.0.0.1:0"}},
		`"KERBEROS" is none of`:                      {Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"sasl.enabled.mechanisms": "KERBEROS"}},
		"must name at least one of PLAIN":            {Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"sasl.enabled.mechanisms": "GSSAPI"}},
		"plain.sasl.jaas.config: the end is missing": {Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"listener.name.sasl_plaintext.plain.sasl.jaas.config": "a.PlainLoginModule required user_x=Geheim"}},
		"must be PlainLoginModule":                   {Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"listener.name.sasl_plaintext.plain.sasl.jaas.config": "a.ScramLoginModule required user_x=Geheim;"}},
		"authorizer.class.name":                      {Settings: map[string]string{"authorizer.class.name": "com.example.Mine"}},
		"super.users: Could not parse principal":     {Settings: map[string]string{"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "admin"}},
	} {
		cfg.Data = t.TempDir()
		if cfg.Listen == nil {
			cfg.Listen = []string{"127.0.0.1:0"}
		}
		b, err := broker.New(cfg)
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // it must not serve
			err = b.Run(ctx)
			cancel()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Geheim") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestEachListenerIsHeldAgainstItsOwnProtection(t *testing.T) {
	ca := testca.New(t)
	tlsOf := map[string]string{"ssl.keystore.location": ca.Store("broker"), "ssl.truststore.location": ca.File}
	for listen, want := range map[string]string{
		"PLAINTEXT": "WITHOUT TLS OR PASSWORDS", "SSL": "WITHOUT PASSWORDS OR CLIENT CERTIFICATES", "SASL_PLAINTEXT": "unencrypted", "SASL_SSL": "", "MUTUAL": "",
	} {
		set := map[string]string{"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,MUTUAL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"}
		if listen == "MUTUAL" {
			set["listener.name.mutual.ssl.client.auth"] = "required"
		}
		for k, v := range tlsOf {
			set[k] = v
		}
		r := start(t, broker.Config{Data: withUser(t), Listen: []string{listen + "://0.0.0.0:0"}, Settings: set})
		if n := strings.Count(r.log.String(), "level=WARN"); want == "" && n > 0 || want != "" && (n != 1 || r.log.count(want) != 1) {
			t.Errorf("%s: want %q, the log says\n%s", listen, want, r.log)
		}
	}
	if r := start(t, broker.Config{Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}}); r.log.count("loghaul broker user add") != 1 {
		t.Errorf("nothing says that nobody can log in:\n%s", r.log)
	}
}

func TestWrongTalkOnATLSPortIsOneLine(t *testing.T) {
	ca := testca.New(t)
	r := start(t, broker.Config{Listen: []string{"SSL://127.0.0.1:0"}, Settings: map[string]string{"ssl.keystore.location": ca.Store("broker")}})
	for _, sent := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"} {
		conn := r.raw()
		if _, err := conn.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for buf := make([]byte, 64); ; { // an alert may come first
			if _, err := conn.Read(buf); err != nil {
				if os.IsTimeout(err) {
					t.Errorf("%q: the connection stays open", sent)
				}
				break
			}
		}
		eventually(t, "a line", func() bool { return r.log.count(conn.LocalAddr().String()) == 1 })
		if r.log.count("this listener speaks TLS") == 0 {
			t.Errorf("the log says\n%s", r.log)
		}
	}
	r.raw().Close() // a look whether the port is open is no line
	r.produce(r.client(kgo.DialTLSConfig(trusting(t, ca))), "web_log", 0, 10)
	if n := r.log.count("closed a connection"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, r.log)
	}
}

func TestAnExchangedCertificateIsServedToNewConnections(t *testing.T) {
	ca := testca.New(t)
	cert, key := ca.Files("first")
	r := start(t, broker.Config{Listen: []string{"127.0.0.1:0"}, TLSCert: cert, TLSKey: key})
	name := func() string {
		conn, err := tls.Dial("tcp", r.addr, trusting(t, ca))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "first" {
		t.Fatalf("served is %s", got)
	}
	old := r.client(kgo.DialTLSConfig(trusting(t, ca)))
	r.produce(old, "web_log", 0, 10)
	newCert, newKey := ca.Files("second")
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the second certificate", func() bool { return name() == "second" })
	r.produce(old, "web_log", 10, 20) // on the connection it has
	if r.log.count("read the certificates again") != 1 {
		t.Errorf("the log says\n%s", r.log)
	}
}

func TestWhoStandsStillInAHandshakeHoldsUpNobody(t *testing.T) {
	ca := testca.New(t)
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_SSL://127.0.0.1:0", "PLAINTEXT://127.0.0.1:0"},
		Settings: map[string]string{"ssl.keystore.location": ca.Store("broker"), "max.connections": "210", "max.connections.per.ip": "205"}})
	for i := range 200 {
		conn := r.raw()
		if i%2 == 0 {
			_, _ = conn.Write([]byte("\x16\x03\x01\x02\x00\x01")) // the beginning of a hello
		}
	}
	r.addr = r.addrOf("PLAINTEXT")
	r.produce(r.client(), "web_log", 0, 10)
	for range 10 { // they count before they have shaken hands
		conn, err := tls.Dial("tcp", r.addrOf("SASL_SSL"), trusting(t, ca))
		if err == nil {
			defer conn.Close()
		}
	}
	eventually(t, "a line about too many", func() bool { return r.log.count("max.connections.per.ip are open") > 0 })
	began := time.Now()
	if err := r.stop(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("the end took %v, %v", time.Since(began), err)
	}
}
