package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckJudgesEveryKindOfFile(t *testing.T) {
	dir := t.TempDir()
	in := func(path, text string) string { return fileWith(t, filepath.Join(dir, path), text) }
	for _, c := range []struct{ file, kind, fault string }{
		{in("a.json", `{"paths":["/a"],"topic":"t"}`), "input", ""},
		{in("b.json", `{"type":"stdout","topics":["t"]}`), "sink", ""},
		{in("sinks/c.json", `{}`), "sink", "type: must name"},
		{in("inputs/d.json", `{"type":"stdout","topics":["t"]}`), "input", "type: unknown field"},
		{in("e.json", `[{"path":"/tmp/nginx.log","topic":"web_log"}]`), "tutorial list", ""},
		{in("f.json", "[{\"path\":\"/tmp/nginx.log\",\n\"topic\":\"web/log\"}]"), "tutorial list", "must not hold a slash"},
		{in("g.yaml", "data: /x\nmax-open: 5\n"), "configuration", ""},
		{in("h.yaml", "data: /x\nmax-opem: 5\n"), "configuration", "max-opem"},
		{in("Bad_Name.json", `{"paths":["/a"],"topic":"t"}`), "input", "Bad_Name"},
		{in("j.json", `{"paths":`), "input", "is not JSON"},
		{in("k.json", ``), "input", "is empty"},
	} {
		code := exitDone
		if c.fault != "" {
			code = exitFailed
		}
		o := loghaul(t, "check", c.file, "-o", "json").want(t, code)
		var got struct {
			Files []struct {
				File, Kind string
				Errors     []struct {
					Line         int
					Field, Error string
				}
			}
		}
		if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || len(got.Files) != 1 || got.Files[0].Kind != c.kind || (len(got.Files[0].Errors) > 0) != (c.fault != "") {
			t.Errorf("%s: printed %s (%v)", c.file, o.stdout, err)
		}
		if o := loghaul(t, "check", c.file).want(t, code); !strings.Contains(o.stdout, c.fault) || !strings.Contains(o.stdout, c.kind) {
			t.Errorf("%s: printed %s, want %s", c.file, o.stdout, c.fault)
		}
	}
}

func TestCheckNamesTheLineAsEditorsDo(t *testing.T) {
	file := fileWith(t, "a.json", "{\"paths\":[\"/a\"],\n\"topic\":\"t\",\n\"colour\":1}")
	if o := loghaul(t, "check", file).want(t, exitFailed, "1 of 1 file refused"); !strings.Contains(o.stdout, file+":3 ") || !strings.Contains(o.stdout, "colour: unknown field") {
		t.Errorf("printed %s", o.stdout)
	}
}

func TestCheckTakesAFolderForItsFiles(t *testing.T) {
	dir := t.TempDir()
	loghaul(t, "check", dir).want(t, exitFailed, "no *.json")
	fileWith(t, filepath.Join(dir, "a.json"), `{"paths":["/a"],"topic":"t"}`)
	fileWith(t, filepath.Join(dir, "b.json"), `{}`)
	loghaul(t, "check", dir).want(t, exitFailed, "1 of 2 files refused")
	loghaul(t, "check", filepath.Join(dir, "missing.json")).want(t, exitFailed, "missing.json")
	loghaul(t, "check").want(t, exitUsage)
}
