package broker

import (
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/internal/testca"
)

func TestAListenerThatFailsEndsTheBrokerThoughCertificatesAreFollowed(t *testing.T) {
	b, err := New(Config{Data: t.TempDir(), Listen: []string{"SSL://127.0.0.1:0"}, Settings: map[string]string{"ssl.keystore.location": testca.New(t).Store("broker")}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.handlers = handle.New(handle.Config{})
	ended := make(chan error, 1)
	go func() { ended <- s.run(t.Context(), func() {}) }()
	s.closeListeners() // as if the system had taken it
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended without an error")
		}
	case <-time.After(drainTime + 5*time.Second):
		t.Fatal("it goes on without a listener")
	}
}
