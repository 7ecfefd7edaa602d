package python_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/broker/clients"
	"github.com/loghaul/loghaul/internal/testca"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// programs are the clients and the environment of Python packages in which each lives.
var programs = []struct{ file, env string }{
	{"confluent.py", "new"},
	{"kafka_python.py", "new"},
	{"kafka_python.py", "old"},
	{"aio.py", "new"},
}

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
	dir := clients.Installed(t, "LOGHAUL_TEST_PYTHON", "python")
	for _, p := range programs {
		t.Run(p.env+" "+p.file, func(t *testing.T) {
			t.Parallel()
			python := filepath.Join(dir, p.env, "bin", "python")
			if _, err := os.Stat(python); err != nil { // as venv lays it out on Windows
				python = filepath.Join(dir, p.env, "Scripts", "python.exe")
			}
			served := clients.Serve(t, func(data string, logger *slog.Logger) (clients.Broker, error) {
				return broker.New(broker.Config{Data: data, Listen: []string{"127.0.0.1:0"}, Logger: logger,
					Settings: map[string]string{"group.consumer.heartbeat.interval.ms": "500"}})
			})
			clients.Program(t, 5*time.Minute, append(secured(t), "PYTHONDONTWRITEBYTECODE=1"), python, p.file, served.Addr)
		})
	}
}
