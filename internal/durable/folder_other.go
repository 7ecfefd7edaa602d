//go:build !unix

package durable

// SyncFolder does nothing here: Windows has no such call for folders, and NTFS
// journals names by itself.
func SyncFolder(string) error { return nil }
