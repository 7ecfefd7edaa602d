package javascript_test

import (
	"log/slog"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/broker/clients"
	"github.com/loghaul/loghaul/internal/testca"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secured runs a broker to which one logs in, over TLS, and tells a program where it is and how.
func secured(t *testing.T) []string {
	t.Helper()
	ca := testca.New(t)
	served := clients.Serve(t, func(data string, logger *slog.Logger) (clients.Broker, error) {
		users, err := broker.OpenUsers(data)
		if err != nil {
			return nil, err
		}
		if err := users.Add(clients.User, clients.Password); err != nil {
			return nil, err
		}
		return broker.New(broker.Config{Data: data, Listen: []string{"SASL_SSL://127.0.0.1:0"}, Logger: logger,
			Settings: map[string]string{"ssl.keystore.location": ca.Store("broker")}})
	})
	return []string{"SECURED=" + served.Addr, "SECURED_CA=" + ca.File, "SECURED_USER=" + clients.User, "SECURED_PASSWORD=" + clients.Password}
}

func TestPrograms(t *testing.T) {
	dir := clients.Installed(t, "LOGHAUL_TEST_NODE", "node")
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("the JavaScript clients are installed in %s, but there is no node: %v", dir, err)
	}
	for _, program := range []string{"kafkajs.js", "platformatic.js"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			served := clients.Serve(t, func(data string, logger *slog.Logger) (clients.Broker, error) {
				return broker.New(broker.Config{Data: data, Listen: []string{"127.0.0.1:0"}, Logger: logger})
			})
			clients.Program(t, 5*time.Minute, append(secured(t), "NODE_PATH="+filepath.Join(dir, "node_modules")), node, program, served.Addr)
		})
	}
}
