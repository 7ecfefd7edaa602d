package disk

import "golang.org/x/sys/windows"

// Space is the size of the disk under a folder and what is free on it for us, in bytes; -1: it does not say.
func Space(folder string) (total, free int64) {
	path, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return -1, -1
	}
	var ours, all uint64
	if windows.GetDiskFreeSpaceEx(path, &ours, &all, nil) != nil {
		return -1, -1
	}
	return int64(all), int64(ours)
}
