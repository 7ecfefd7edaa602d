package follow

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

var errNotDir error = windows.ERROR_DIRECTORY

// openShared opens path so that others may go on renaming and deleting it.
func openShared(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// statPath says what path leads to. The identity is known of open files only.
func statPath(path string) (fileInfo, error) {
	f, err := openShared(path)
	if err != nil {
		return fileInfo{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fileInfo{}, err
	}
	return infoOf(f, st)
}

// statName says what path is.
func statName(path string) (fileInfo, error) { return statPath(path) }

func infoOf(f *os.File, st fs.FileInfo) (fileInfo, error) {
	info := fileInfo{size: st.Size(), mtime: st.ModTime().UnixNano(), mode: st.Mode().Perm()}
	if !st.Mode().IsRegular() {
		info.mode |= fs.ModeIrregular
	}
	var by windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &by); err != nil {
		return info, err
	}
	info.key = fileKey{
		dev:   uint64(by.VolumeSerialNumber),
		ino:   uint64(by.FileIndexHigh)<<32 | uint64(by.FileIndexLow),
		birth: by.CreationTime.Nanoseconds(),
	}
	info.links = uint64(by.NumberOfLinks)
	return info, nil
}
