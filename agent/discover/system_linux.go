package discover

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// pseudo names the kind of filesystem that real lies on if it shows the kernel's
// own state instead of files.
func pseudo(real string) string {
	var st unix.Statfs_t
	if unix.Statfs(real, &st) != nil {
		return ""
	}
	switch int64(uint32(st.Type)) {
	case unix.PROC_SUPER_MAGIC:
		return "proc"
	case unix.SYSFS_MAGIC:
		return "sysfs"
	case unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return "cgroup"
	case unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.DEVPTS_SUPER_MAGIC:
		return "kernel"
	}
	return ""
}

// remote says whether real lies on a filesystem that may be changed without this
// system's doing: on another host, below a mount over it, or by a program.
var remote = func(real string) bool {
	var st unix.Statfs_t
	if unix.Statfs(real, &st) != nil {
		return false
	}
	switch int64(uint32(st.Type)) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC,
		unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC:
		return true
	}
	return false
}

// readable says why this process may not read the file.
func readable(real string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, real, unix.R_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "reading", Path: real, Err: err}
	}
	return nil
}

func keyOf(st fs.FileInfo) (key fileKey, links uint64) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return fileKey{uint64(sys.Dev), sys.Ino}, uint64(sys.Nlink)
	}
	return fileKey{}, 1
}
