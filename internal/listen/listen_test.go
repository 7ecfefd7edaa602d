package listen

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestBusyPortNamesOwnerAndOption(t *testing.T) {
	first, err := Listen(t.Context(), "tcp", "127.0.0.1:0", "--broker-listen")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	addr := first.Addr().String()
	_, err = Listen(t.Context(), "tcp", addr, "--broker-listen")
	var busy *InUseError
	if !errors.As(err, &busy) {
		t.Fatalf("listening on a taken port: got %v, want an InUseError", err)
	}
	by := ""
	if runtime.GOOS == "linux" {
		comm, _ := os.ReadFile("/proc/self/comm")
		by = fmt.Sprintf(" by pid %d (%s)", os.Getpid(), strings.TrimSpace(string(comm)))
	}
	want := "listening on " + addr + ": address in use" + by + ": choose another with --broker-listen"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestWrongAddressNamesOption(t *testing.T) {
	_, err := Listen(t.Context(), "tcp", "203.0.113.7:9092", "--broker-listen")
	if err == nil || !strings.Contains(err.Error(), "listening on 203.0.113.7:9092") || !strings.Contains(err.Error(), "--broker-listen") {
		t.Errorf("got %v, want address and option", err)
	}
}
