package discover

import (
	"os"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/nobody"
)

func TestOnlyFilesBelowTheRootsAreFollowed(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log", "secret/b.log", "log/sub/c.log")
	p.link("secret/b.log", "log/sneaky.log")
	p.link("secret", "log/hole")
	p.link("log/a.log", "elsewhere/fine.log")
	access := &Access{Roots: p.patterns("log")}
	set := finder(t, Config{Include: p.patterns("log/**/*.log", "secret/*.log"), Access: access}).Once()
	p.want(set, "log/a.log", "log/sub/c.log")
	refusal(t, set, p.path("log/sneaky.log"), "--allow-root "+p.path("secret"))
	refusal(t, set, p.path("log/hole"), "--allow-root "+p.path("secret"))
	refusal(t, set, p.path("secret"), "--allow-root "+p.path("secret"))
	// the very flag it names allows it
	access = &Access{Roots: p.patterns("log", "secret")}
	set = finder(t, Config{Include: p.patterns("secret/*.log"), Access: access}).Once()
	p.want(set, "secret/b.log")

	set = finder(t, Config{Include: p.patterns("elsewhere/fine.log", "secret/b.log"), Access: &Access{Roots: p.patterns("log")}}).Once()
	p.want(set, "elsewhere/fine.log")
	refusal(t, set, p.path("secret/b.log"), "outside the allowed roots", "--allow-root "+p.path("secret"))
}

func TestARootThatIsASymlinkIsResolved(t *testing.T) {
	p := newPlace(t)
	p.write("real/a.log")
	p.link("real", "root")
	p.want(finder(t, Config{Include: p.patterns("root/*.log"), Access: &Access{Roots: p.patterns("root")}}).Once(), "root/a.log")
	if err := (&Access{Roots: p.patterns("rea")}).Check(p.path("real/a.log")); err == nil {
		t.Error("a root allows a folder whose name only begins like it")
	}
	if err := (&Access{Roots: []string{"/"}}).Check(p.path("real/a.log")); err != nil {
		t.Errorf("the root / refuses: %v", err)
	}
}

func TestOutsideTheRootsWhatEveryoneMayRead(t *testing.T) {
	p := newPlace(t)
	must(t, os.Chmod(p.dir, 0o755))
	must(t, os.Chmod(strings.TrimSuffix(p.dir, "/001"), 0o755))
	p.write("log/a.log", "open/b.log", "open/closed.log", "shut/c.log")
	must(t, os.Chmod(p.path("open/closed.log"), 0o640))
	must(t, os.Chmod(p.path("shut"), 0o750))
	access := &Access{Roots: p.patterns("log"), WorldReadable: true}
	set := finder(t, Config{Include: p.patterns("*/*.log"), Access: access}).Once()
	p.want(set, "log/a.log", "open/b.log")
	refusal(t, set, p.path("open/closed.log"), "not readable by everyone", "--allow-root "+p.path("open"))
	refusal(t, set, p.path("shut"), "--allow-root "+p.path("shut"))
}

func TestWhatLoghaulWritesIsNeverFollowed(t *testing.T) {
	p := newPlace(t)
	p.write("log/a.log", "log/data/out/web_log.log", "log/own.log")
	p.link("log/data/out/web_log.log", "log/alias.log")
	access := &Access{Roots: p.patterns("log"), Never: p.patterns("log/data", "log/own.log")}
	set := finder(t, Config{Include: p.patterns("log/**/*.log"), Access: access}).Once()
	p.want(set, "log/a.log")
	for _, rel := range []string{"log/data", "log/own.log", "log/alias.log"} {
		refusal(t, set, p.path(rel), "loghaul itself")
	}
}

func TestOnlyRegularFilesAreFollowed(t *testing.T) {
	p := newPlace(t)
	p.write("a.log")
	p.link("a.log.d", "dangling.log")
	must(t, os.Mkdir(p.path("folder.log"), 0o755))
	set := finder(t, Config{Include: append(p.patterns("*.log"), "/dev/null", "/proc/meminfo", "/proc/self/*")}).Once()
	p.want(set, "a.log")
	if os.PathSeparator == '/' {
		refusal(t, set, "/dev/null", "a device")
	}
	if _, err := os.Stat("/proc/meminfo"); err == nil {
		refusal(t, set, "/proc/meminfo", "proc filesystem")
		refusal(t, set, "/proc/self", "proc filesystem")
	}
}

func TestUnreadableFilesAndFoldersAreToldAndTheRestGoesOn(t *testing.T) {
	if nobody.Again(t) {
		return
	}
	p := newPlace(t)
	p.write("a.log", "b.log", "sub/c.log")
	must(t, os.Chmod(p.path("b.log"), 0))
	must(t, os.Chmod(p.path("sub"), 0o311))
	t.Cleanup(func() { os.Chmod(p.path("sub"), 0o755) })
	f := finder(t, Config{Include: p.patterns("**/*.log")})
	set := f.Once()
	p.want(set, "a.log")
	refusal(t, set, p.path("b.log"), "permission denied", "right to read")
	refusal(t, set, p.path("sub"), "permission denied", "right to read")
	must(t, os.Chmod(p.path("b.log"), 0o644))
	must(t, os.Chmod(p.path("sub"), 0o755))
	f.tree.checked = f.tree.checked.Add(-recheck)
	p.want(f.Once(), "a.log", "b.log", "sub/c.log")
}

func TestOneFileOfSeveralNamesIsFollowedOnce(t *testing.T) {
	p := newPlace(t)
	p.write("b.log", "c.log")
	must(t, os.Link(p.path("b.log"), p.path("a.log")))
	p.link("c.log", "0.log")
	p.link("c.log", "1.log")
	p.link("b.log", "2.log")
	set := finder(t, Config{Include: p.patterns("*.log")}).Once()
	if os.PathSeparator == '/' {
		p.want(set, "a.log", "c.log")
	}
	for second, first := range map[string]string{"0.log": "c.log", "1.log": "c.log", "b.log": "a.log"} {
		if got := set.Same[p.path(second)]; got != p.path(first) {
			t.Errorf("%s is said to be %q, want %s", second, got, first)
		}
	}
	set = finder(t, Config{Include: p.patterns("0.log", "1.log")}).Once()
	p.want(set, "0.log")
}

func TestSymlinkLoopsEnd(t *testing.T) {
	p := newPlace(t)
	p.write("a/x.log", "a/b/y.log", "c/z.log")
	p.link("a", "a/b/up")
	p.link("a/b", "a/b/self")
	p.link("c", "a/c")
	p.link("a", "c/a")
	must(t, os.Symlink("loop", p.path("loop")))
	set := finder(t, Config{Include: p.patterns("**/*.log", "loop/*.log", "loop")}).Once()
	p.want(set, "a/b/y.log", "a/x.log", "c/z.log")
	set = finder(t, Config{Include: p.patterns("a/**/*.log")}).Once()
	p.want(set, "a/b/y.log", "a/c/z.log", "a/x.log")
}
