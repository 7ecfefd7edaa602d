package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
)

// size is a flag of bytes: an integer or one with a unit, as in "64MiB".
type size int64

func (s *size) Set(text string) error {
	n, err := etcdconf.ParseSize(text)
	*s = size(n)
	return err
}

func (s *size) Type() string { return "SIZE" }

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return bytesText(int64(*s))
}

// span is a flag of time: "5ms", "1h30m", "7d".
type span time.Duration

func (s *span) Set(text string) error {
	d, err := etcdconf.ParseDuration(text)
	*s = span(d)
	return err
}

func (s *span) Type() string { return "D" }

func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// bytesText writes a size so that ParseSize reads it back.
func bytesText(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// pairs reads K=V arguments of flag; a key may come once.
func pairs(flag string, args []string) (map[string]string, error) {
	m := map[string]string{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok || k == "" {
			return nil, usageErrorf("--%s %s: must be NAME=VALUE", flag, a)
		}
		if _, twice := m[k]; twice {
			return nil, usageErrorf("--%s %s: %s is given twice", flag, a, k)
		}
		m[k] = v
	}
	return m, nil
}

// plural is "1 file", "3 files".
func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// share is a flag of a part of one core: "0.25" or "25%".
type share float64

func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is no share of a core: give 0.25 or 25%%", text)
	}
	*s = share(n)
	return nil
}

func (s *share) Type() string { return "SHARE" }

func (s *share) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*s), 'g', -1, 64)
}
