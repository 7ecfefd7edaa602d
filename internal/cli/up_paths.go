package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/bmatcuk/doublestar/v4"
)

// roots are the folders asked for and those of the patterns that --follow named. The patterns come from the data folder
// and not from etcd, where a remote editor could widen them.
func (u *together) roots() []string {
	roots := append([]string{}, u.f.roots...)
	for _, p := range u.followed {
		dir, _ := doublestar.SplitPattern(filepath.ToSlash(p))
		roots = append(roots, filepath.FromSlash(dir))
	}
	return roots
}

// absolutePatterns makes the patterns independent of where this process was started.
func absolutePatterns(patterns []string) ([]string, error) {
	var list []string
	for _, p := range patterns {
		if p == "" || !doublestar.ValidatePattern(filepath.ToSlash(p)) {
			return nil, usageErrorf("--follow %q: not a pattern: every [ and { needs its end", p)
		}
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			return nil, usageErrorf("--follow %s: is a folder: name files, as in --follow '%s'", p, filepath.Join(p, "*.log"))
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("--follow %s: %w", p, err)
		}
		list = append(list, abs)
	}
	return list, nil
}

// reachable is an address under which this very host reaches a listener, also one that listens everywhere.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// ownOutput are the files that standard output and error go to: what is said there must not be followed.
func ownOutput() []string {
	var files []string
	for _, fd := range []string{"/proc/self/fd/1", "/proc/self/fd/2"} {
		path, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
	}
	return files
}
