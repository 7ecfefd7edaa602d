package discover

import (
	"os"
	"strings"
	"testing"
)

func TestPatternsFindWhatTheySay(t *testing.T) {
	p := newPlace(t)
	p.write("a.log", "b.txt", "nginx/access.log", "nginx/error.log", "nginx/old/access.log", "srv/x/deep/er/app.log",
		"srv/app.log", "srv/y/app.log", "srv/y/other.log", "star*.log", "nginx/access.log.gz")
	for pattern, want := range map[string]string{
		"*.log":                      "a.log star*.log",
		"a.log":                      "a.log",
		"nginx/*.log":                "nginx/access.log nginx/error.log",
		"srv/**/app.log":             "srv/app.log srv/x/deep/er/app.log srv/y/app.log",
		"srv/*/app.log":              "srv/y/app.log",
		"{nginx,srv}/{access,app}.*": "nginx/access.log nginx/access.log.gz srv/app.log",
		"{nginx/old,srv/y}/*.log":    "nginx/old/access.log srv/y/app.log srv/y/other.log",
		"**/deep/**/*.log":           "srv/x/deep/er/app.log",
		"**":                         "a.log b.txt nginx/access.log nginx/access.log.gz nginx/error.log nginx/old/access.log srv/app.log srv/x/deep/er/app.log srv/y/app.log srv/y/other.log star*.log",
		`star\*.log`:                 "star*.log",
		"ngin[xy]/er?or.log":         "nginx/error.log",
		"nothing/here/*.log":         "",
		"srv/../nginx/error.log":     "nginx/error.log",
	} {
		set := finder(t, Config{Include: p.patterns2(pattern), Exclude: nil}).Once()
		if got := p.found(set); got != want {
			t.Errorf("%s finds %q, want %q", pattern, got, want)
		}
		for path, file := range set.Files {
			if file.Path != path || file.Real != path || !strings.HasPrefix(file.Why, p.dir) {
				t.Errorf("%s: %s is described as %+v", pattern, path, file)
			}
		}
	}
}

// patterns2 joins without cleaning, as a user's own text.
func (p place) patterns2(rels ...string) []string {
	var all []string
	for _, rel := range rels {
		all = append(all, p.dir+"/"+rel)
	}
	return all
}

func TestExcludesGoByNameOrByPath(t *testing.T) {
	p := newPlace(t)
	p.write("a.log", "a.log.gz", "sub/b.log", "sub/c.log.gz", "var/d.log")
	for exclude, want := range map[string]string{
		"*.gz":              "a.log sub/b.log var/d.log",
		"**/*.gz":           "a.log sub/b.log var/d.log",
		p.path("var/**"):    "a.log a.log.gz sub/b.log sub/c.log.gz",
		"**/{var,sub}/**":   "a.log a.log.gz",
		p.path("sub/b.log"): "a.log a.log.gz sub/c.log.gz var/d.log",
	} {
		p.want(finder(t, Config{Include: p.patterns("**"), Exclude: []string{exclude}}).Once(), strings.Fields(want)...)
	}
	p.want(finder(t, Config{Include: p.patterns("a.log", "sub/b.log"), Exclude: []string{"a.*"}}).Once(), "sub/b.log")
}

func TestABadPatternIsNamed(t *testing.T) {
	for pattern, why := range map[string]string{
		"/var/log/[a": "malformed", "/var/log/{a,b": "malformed", "relative/*.log": "absolute", "": "empty", "/var/log/": "folder", "*.log": "absolute",
	} {
		err := CheckPattern(pattern)
		if err == nil || !strings.Contains(err.Error(), `"`+pattern+`"`) || !strings.Contains(err.Error(), why) {
			t.Errorf("CheckPattern(%q) says %v, want it to name the pattern and %q", pattern, err, why)
		}
		if _, err := New(Config{Include: []string{"/tmp/*.log", pattern}}); err == nil {
			t.Errorf("New takes %q", pattern)
		}
	}
	if _, err := New(Config{Include: []string{"/tmp/*"}, Exclude: []string{"[z"}}); err == nil || !strings.Contains(err.Error(), "[z") {
		t.Errorf("New says %v about a bad exclude", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New takes no pattern at all")
	}
}

func TestOnlyFoldersThatAPatternReachesAreListed(t *testing.T) {
	p := newPlace(t)
	p.write("a/x/1.log", "a/y/2.log", "b/x/3.log", "a/x/deeper/4.log")
	f := finder(t, Config{Include: p.patterns("a/x*/*.log")})
	p.want(f.Once(), "a/x/1.log")
	for path := range f.tree.folders {
		if path != p.path("a") && path != p.path("a/x") {
			t.Errorf("%s was listed", path)
		}
	}
}

func TestAPatternThatMatchesTooMuchIsBounded(t *testing.T) {
	p := newPlace(t)
	for i := range 50 {
		p.write("many/" + name(i))
	}
	p.write("few/a.log")
	f := finder(t, Config{Include: p.patterns("few/*.log", "many/*.log"), MaxFiles: 20})
	set := f.Once()
	if len(set.Files) != 20 {
		t.Errorf("%d files are followed, want 20", len(set.Files))
	}
	refusal(t, set, p.path("many/*.log"), "more than 20 files", "narrower")
	for i := range 40 {
		must(t, os.Remove(p.path("many/"+name(i))))
	}
	f.tree.checked = f.tree.checked.Add(-recheck)
	set = f.Once()
	f.tree.checked = f.tree.checked.Add(-recheck)
	set = f.Once()
	if len(set.Files) != 11 || len(set.Refused) != 0 {
		t.Errorf("%d files are followed and %v refused, once there are only 11", len(set.Files), set.Refused)
	}
}

func TestAFolderOfMoreNamesThanAreInMemoryAtATime(t *testing.T) {
	p := newPlace(t)
	must(t, os.MkdirAll(p.path("log"), 0o755))
	for i := range 2*namesAtOnce + 100 {
		must(t, os.WriteFile(p.path("log/"+name(i)), nil, 0o644))
	}
	f := finder(t, Config{Include: p.patterns("log/*.log"), MaxFiles: 2*namesAtOnce + 50})
	set := f.Once()
	if len(set.Files) != 2*namesAtOnce+50 {
		t.Errorf("%d files are found, the most are %d", len(set.Files), 2*namesAtOnce+50)
	}
	refusal(t, set, p.path("log/*.log"), "matches more than", "narrower")
	if f = finder(t, Config{Include: p.patterns("log/*.log")}); len(f.Once().Files) != 2*namesAtOnce+100 {
		t.Errorf("not all of a large folder is found")
	}
}
