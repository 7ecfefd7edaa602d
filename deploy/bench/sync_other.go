//go:build !linux

package bench

// settleDisk does nothing: the other systems promise no more than to begin with it.
func settleDisk() {}
