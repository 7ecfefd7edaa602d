//go:build !unix

package disk

// SyncDir does nothing here: Windows has no such call for folders, and NTFS
// journals names by itself.
func (Real) SyncDir(string) error { return nil }
