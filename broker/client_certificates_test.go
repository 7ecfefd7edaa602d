package broker_test

import (
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/testca"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestTheFlagForClientCertificatesHoldsForEveryTLSListener(t *testing.T) {
	ca := testca.New(t)
	cert, key := ca.Files("broker")
	clientCert, clientKey := ca.Files("client")
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SSL://127.0.0.1:0", "SASL_SSL://127.0.0.1:0", "FREE://127.0.0.1:0"},
		TLSCert: cert, TLSKey: key, TLSClientCA: ca.File, Settings: map[string]string{
			"listener.security.protocol.map":     "SSL:SSL,SASL_SSL:SASL_SSL,FREE:SSL",
			"listener.name.free.ssl.client.auth": "none"}})
	asks := func(listener string, c kafka.Config) bool {
		c.CA = ca.File
		conn, err := c.Dial(t.Context(), r.addrOf(listener))
		if err != nil {
			return false
		}
		defer conn.Close()
		_, err = conn.Call(t.Context(), kmsg.NewPtrApiVersionsRequest())
		return err == nil
	}
	for listener, want := range map[string]bool{"SSL": false, "SASL_SSL": false, "FREE": true} {
		if got := asks(listener, kafka.Config{}); got != want {
			t.Errorf("%s: without a certificate a client gets in: %v, want %v", listener, got, want)
		}
		if !asks(listener, kafka.Config{Cert: clientCert, Key: clientKey}) {
			t.Errorf("%s: with a certificate a client does not get in", listener)
		}
	}
}
