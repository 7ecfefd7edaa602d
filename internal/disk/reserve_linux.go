package disk

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// leastFree is how many times what is laid out has to be free: on a disk that is nearly full the search takes long, and
// others need the rest.
const leastFree = 64

// Reserve lays out room on ext4 and XFS. Elsewhere it takes memory, switches compression off or does nothing.
func (f realFile) Reserve(position, size int64) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = raw.Control(func(fd uintptr) {
		var kind unix.Statfs_t
		if ferr = unix.Fstatfs(int(fd), &kind); ferr == nil && kind.Type != unix.EXT4_SUPER_MAGIC && kind.Type != unix.XFS_SUPER_MAGIC {
			ferr = ErrNoReserve
		}
		if ferr == nil && int64(kind.Bavail)*int64(kind.Bsize)/leastFree < size {
			ferr = ErrNoReserve
		}
		if ferr == nil {
			_, ferr = retried(func() (int, error) { return 0, unix.Fallocate(int(fd), unix.FALLOC_FL_KEEP_SIZE, position, size) })
		}
	})
	if errors.Is(ferr, unix.EOPNOTSUPP) || errors.Is(ferr, unix.ENOSYS) {
		return ErrNoReserve
	}
	return errors.Join(err, ferr)
}

// Reserved is how many bytes more than its length a file takes on the disk, 0: none, or nobody knows.
func Reserved(info fs.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return max(0, st.Blocks*512-info.Size())
}
