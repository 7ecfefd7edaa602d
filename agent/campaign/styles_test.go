package campaign

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// style is one way in which logs are rotated.
type style struct {
	name    string
	pattern string // of the input, in the folder of the logs
	gap     bool   // lines that come between a copy and the truncation are nowhere
	own     bool   // the program rotates by itself, between two lines
	atOnce  bool   // the program opens its path anew at once
	slow    bool   // a rotation a second at most: names are made of seconds
	packed  bool   // old files are compressed; in long campaigns only
	needs   string // a program that must be installed
	begin   func(*site) error
	turn    func(*site) error
	write   func(*site, []string) error
}

// interval is how long it is until the next rotation.
func (st style) interval(rng *rand.Rand) time.Duration {
	if st.slow {
		return time.Duration(1100+rng.IntN(900)) * time.Millisecond
	}
	return time.Duration(250+rng.IntN(800)) * time.Millisecond
}

// styles are all of them: Debian's logrotate in its modes, what common logging libraries
// do by themselves, and nginx.
func styles() []style {
	logrotate := func(name, mode string, more style) style {
		more.name, more.pattern, more.needs = name, "app.log", "logrotate"
		more.begin = func(s *site) error { return logrotated(s, mode) }
		more.turn = func(s *site) error { return runLogrotate(s) }
		return more
	}
	logger := func(name, pattern string, turn func(*site) error, more style) style {
		more.name, more.pattern, more.own, more.turn = name, pattern, true, turn
		more.begin = func(s *site) error { return s.open() }
		return more
	}
	return []style{
		logrotate("create", "create", style{}),
		logrotate("dateext", "create\ndateext\ndateformat -%Y%m%d-%s", style{slow: true}),
		logrotate("extension", "create\nextension .log", style{}),
		logrotate("compress", "create\ncompress", style{atOnce: true, packed: true}),
		logrotate("dateext-compress", "create\ncompress\ndateext\ndateformat -%Y%m%d-%s", style{atOnce: true, slow: true, packed: true}),
		logrotate("delaycompress", "create\ncompress\ndelaycompress", style{packed: true}),
		logrotate("zstd", "create\ncompress\ncompresscmd /usr/bin/zstd\ncompressext .zst\ncompressoptions -q --rm", style{atOnce: true, packed: true}),
		logrotate("copytruncate", "copytruncate", style{gap: true}),
		logrotate("copytruncate-compress", "copytruncate\ncompress", style{gap: true, packed: true}),
		logger("shift", "app.log", shift, style{}),
		logger("ascending", "app.log", ascending, style{}),
		logger("timed", "app.log", timed, style{}),
		logger("backup", "*.log", backup, style{}),
		logger("backup-gzip", "app.log", backupGzip, style{packed: true}),
		{name: "direct", pattern: "app*.log", own: true, begin: direct, turn: direct},
		{name: "nginx", pattern: "app.log", needs: "nginx", begin: beginNginx, write: writeNginx, turn: turnNginx},
	}
}

// wanted are the styles that the flag names.
func wanted(t *testing.T) []style {
	t.Helper()
	all := styles()
	if *only != "" {
		names := strings.Split(*only, ",")
		all = slices.DeleteFunc(all, func(st style) bool { return !slices.Contains(names, st.name) })
		if len(all) != len(names) {
			t.Fatalf("-styles %s: not all of them are known", *only)
		}
	} else if *kills == 0 {
		all = slices.DeleteFunc(all, func(st style) bool { return st.packed })
	}
	for _, st := range all {
		if st.needs != "" {
			program(t, st.needs)
		}
	}
	return all
}

// logrotated writes the rule of a site's log and opens it.
func logrotated(s *site, mode string) error {
	script := "postrotate\n: > " + s.asked() + "\n"
	if s.style.atOnce { // compression begins when the program has let go of the file
		script += "while [ -e " + s.asked() + " ]; do sleep 0.01; done\n"
	}
	if script += "endscript"; s.style.gap {
		script = ""
	}
	conf := fmt.Sprintf("%s {\nrotate 400\nmissingok\n%s\n%s\n}\n", s.path, mode, script)
	if err := os.WriteFile(filepath.Join(s.aux, "conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	return s.open()
}

func runLogrotate(s *site) error {
	for until := time.Now().Add(patience); ; pause(5 * time.Millisecond) { // the program has done what it was told before
		if _, err := os.Stat(s.asked()); err != nil {
			break
		}
		if time.Now().After(until) {
			return fmt.Errorf("the program does not open its path anew")
		}
	}
	out, err := exec.Command(program(s.t, "logrotate"), "-f", "-s", filepath.Join(s.aux, "state"), filepath.Join(s.aux, "conf")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("logrotate: %w\n%s", err, out)
	}
	return nil
}
