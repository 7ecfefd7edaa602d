//go:build !linux

package discover

import (
	"io/fs"
	"os"
)

// pseudo is about filesystems that only Linux has.
func pseudo(string) string { return "" }

// remote is not known here: files are looked at as if events told of all.
var remote = func(string) bool { return false }

// readable says why this process may not read the file.
func readable(real string) error {
	f, err := os.Open(real)
	if err != nil {
		return err
	}
	return f.Close()
}

// keyOf does not tell hard links apart here: each name is followed on its own.
func keyOf(fs.FileInfo) (key fileKey, links uint64) { return fileKey{}, 1 }
