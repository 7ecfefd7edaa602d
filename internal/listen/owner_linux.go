package listen

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stateListen is a listening socket in /proc/net/tcp.
const stateListen = "0A"

// owner finds the process that listens on addr's port: its socket's inode in /proc/net/tcp, then the process that
// has a descriptor of it. Processes of other users stay unknown unless we may look into them.
func owner(addr string) string {
	inodes := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(file, port(addr), inodes)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		if !ok || !inodes[strings.TrimSuffix(inode, "]")] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		name, _ := os.ReadFile(filepath.Join(process, "comm"))
		return fmt.Sprintf("pid %s (%s)", filepath.Base(process), strings.TrimSpace(string(name)))
	}
	return ""
}

// listening adds the inodes of the sockets that listen on a port.
func listening(file string, port int, inodes map[string]bool) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // sl local remote state ... inode is the tenth
		if len(fields) > 9 && fields[3] == stateListen && strings.HasSuffix(fields[1], suffix) {
			inodes[fields[9]] = true
		}
	}
}
