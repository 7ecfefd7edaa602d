package follow

import "syscall"

func birthOf(st *syscall.Stat_t) int64 {
	t := st.Birthtimespec
	return int64(t.Sec)*1e9 + int64(t.Nsec)
}
