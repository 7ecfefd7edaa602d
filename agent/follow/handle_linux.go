package follow

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// handle is an open file that is read at positions. It is a bare descriptor: a
// read is one system call and allocates nothing. The zero handle is closed.
type handle struct {
	fd int32 // the descriptor plus one
	in Bytes // instead of a descriptor
}

func (h handle) open() bool { return h.fd > 0 || h.in != nil }

func (h *handle) close() {
	if h.fd > 0 {
		unix.Close(int(h.fd) - 1)
	}
	if h.in != nil {
		h.in.Close()
	}
	*h = handle{}
}

// pread reads at position at, once: fewer bytes than b holds mean the file's end.
func (h handle) pread(b []byte, at int64) (int, error) {
	if h.in != nil {
		return h.in.ReadAt(b, at)
	}
	for {
		n, err := unix.Pread(int(h.fd)-1, b, at)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

var errNotDir error = unix.ENOTDIR

const statMask = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_NLINK | unix.STATX_INO | unix.STATX_SIZE | unix.STATX_MTIME | unix.STATX_BTIME

func (h handle) stat() (fileInfo, error) {
	return statAt(int(h.fd)-1, "", unix.AT_EMPTY_PATH)
}

// statPath says what path leads to, symlinks followed.
func statPath(path string) (fileInfo, error) { return statFlags(path, 0) }

// statName says what path itself is, symlinks not followed.
func statName(path string) (fileInfo, error) { return statFlags(path, unix.AT_SYMLINK_NOFOLLOW) }

func statFlags(path string, flags int) (fileInfo, error) {
	info, err := statAt(unix.AT_FDCWD, path, flags)
	if err != nil {
		return info, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return info, nil
}

func statAt(dir int, path string, flags int) (fileInfo, error) {
	var st unix.Statx_t
	if err := unix.Statx(dir, path, flags|unix.AT_STATX_SYNC_AS_STAT, statMask, &st); err != nil {
		return fileInfo{}, err
	}
	info := fileInfo{size: int64(st.Size), links: uint64(st.Nlink), mtime: st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec)}
	info.key.dev, info.key.ino = unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino
	if st.Mask&unix.STATX_BTIME != 0 {
		info.key.birth = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	info.mode = fs.FileMode(st.Mode & 0o777)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		info.mode |= fs.ModeIrregular
	}
	return info, nil
}

// openFile opens the regular file that path leads to, if allow lets it, and says
// its real path. What is checked is what is opened, even if the path is changed
// meanwhile: the file is pinned, its real path asked for, and the pinned file opened.
func openFile(path string, allow func(real string) error) (f file, err error) {
	pin, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(pin)
	info, err := statAt(pin, "", unix.AT_EMPTY_PATH)
	switch {
	case err != nil:
		return f, &fs.PathError{Op: "stat", Path: path, Err: err}
	case info.links == 0:
		return f, &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT}
	case info.mode&fs.ModeIrregular != 0:
		return f, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	self := "/proc/self/fd/" + strconv.Itoa(pin)
	real, err := os.Readlink(self)
	if err != nil { // no /proc here
		self = path
		if real, err = filepath.EvalSymlinks(path); err != nil {
			return f, err
		}
	}
	if allow != nil {
		if err := allow(real); err != nil {
			return f, err
		}
	}
	fd, err := unix.Open(self, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f = file{handle: handle{fd: int32(fd) + 1}, name: real}
	if f.info, err = f.stat(); err == nil && f.info.key != info.key && self == path {
		err = fmt.Errorf("%s: changed while it was opened", path)
	}
	if err != nil {
		f.close()
	}
	return f, err
}

// filesystem is the id of the filesystem that the file lies on. Unlike the
// device number it stays the same over reboots where the filesystem has one.
func (h handle) filesystem(info fileInfo) uint64 {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(h.fd)-1, &st); err != nil {
		return info.key.dev
	}
	id := uint64(uint32(st.Fsid.Val[0])) | uint64(uint32(st.Fsid.Val[1]))<<32
	if id == 0 {
		return info.key.dev
	}
	return id
}

// forsaken says that no process has the file open for writing. The kernel gives
// a read lease on such a file only, and it is given back at once. It is asked
// about files without a name, which nobody can be about to open.
func (h handle) forsaken() bool {
	fd := uintptr(h.fd - 1)
	if _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return false
	}
	unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
	return true
}
