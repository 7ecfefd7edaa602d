//go:build !unix

package file

import "os"

// syncFolder does nothing: this system syncs names with their files, or offers no way to.
func syncFolder(*os.File) error { return nil }

// lockFile does nothing here: two processes must not be given one out root.
func lockFile(*os.File) error { return nil }
