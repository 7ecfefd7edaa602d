package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lock holds the folder against a second agent until the file is closed or the
// process ends. The file holds the pid, for the message that the second one gets.
func lock(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("making the agent's folder: %w", err)
	}
	// Another umask may have made it: what lies here says which files there are.
	if err := os.Chmod(data, 0o700); err != nil {
		return nil, fmt.Errorf("closing the agent's folder to others: %w", err)
	}
	name := filepath.Join(data, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the agent's folder: %w", err)
	}
	if err := flock(f); err != nil {
		holder, _ := os.ReadFile(name)
		f.Close()
		pid := strings.TrimSpace(string(holder))
		if pid == "" {
			pid = "unknown"
		}
		return nil, fmt.Errorf("the folder %s is in use by pid %s: stop that agent, or choose another folder with --data", data, pid)
	}
	if err := f.Truncate(0); err == nil {
		f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}
