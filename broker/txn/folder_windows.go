package txn

// syncFolder does nothing: Windows cannot sync a folder, and NTFS journals the rename.
func syncFolder(string) error { return nil }
