//go:build !unix

package etcdconf

// syncFolder does nothing here: Windows has no fsync for folders, and NTFS journals the rename by itself.
func syncFolder(string) error { return nil }
