package etcdconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAMissingFolderIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "inputs")
	err := Folder(dir, nil).Watch(t.Context(), func([]Value) { t.Error("applied something") })
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "create the folder") {
		t.Errorf("got %v", err)
	}
	write(t, dir, "")
	if err := Folder(dir, nil).Watch(t.Context(), func([]Value) {}); err == nil || !strings.Contains(err.Error(), "it is a file") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyJSONFilesAreValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.json", "b.json~", ".c.json", "d.txt", "README", ".e.json.swp"} {
		write(t, filepath.Join(dir, name), "1")
	}
	w := watchSource(t, Folder(dir, nil))
	w.sees(map[string]string{"a": "1"})
	if v := w.last()[0]; v.Key != filepath.Join(dir, "a.json") {
		t.Errorf("its key is %s", v.Key)
	}
}

func TestAHalfWrittenFileNeverReplacesTheGoodOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.json")
	write(t, file, `{"paths":["/a"],"topic":"first"}`)
	w := watchInputs(t, Folder(dir, nil))
	w.reaches("first", "")
	write(t, file, `{"paths":["/a"],"topic":"sec`)
	w.reaches("first", "not JSON")
	write(t, file, "")
	w.reaches("first", "is empty")
	write(t, file, `{"paths":["/a"],"topic":"second"}`)
	w.reaches("second", "")
}

func TestAFileReplacedByRenameIsSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), "1")
	w := watchSource(t, Folder(dir, nil))
	w.sees(map[string]string{"a": "1"})
	write(t, filepath.Join(dir, ".a.json.new"), "22")
	if err := os.Rename(filepath.Join(dir, ".a.json.new"), filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	w.sees(map[string]string{"a": "22"})
}

func TestWithoutHintsTheSweepFindsTheChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := Folder(dir, nil).(*folder)
	target := t.TempDir() // a change behind a symbolic link gives no hint here
	write(t, filepath.Join(target, "real"), "1")
	if err := os.Symlink(filepath.Join(target, "real"), filepath.Join(dir, "a.json")); err != nil {
		t.Skipf("symbolic links: %v", err)
	}
	w := watchSource(t, f)
	w.sees(map[string]string{"a": "1"})
	write(t, filepath.Join(target, "real"), "22")
	w.sees(map[string]string{"a": "22"})
}

func TestWhatIsNoFileIsAFaultAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), `{"paths":["/a"],"topic":"good"}`)
	if err := os.Mkdir(filepath.Join(dir, "b.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	watchInputs(t, Folder(dir, nil)).reaches("good", "is not a regular file")
}

func TestAHugeFileIsAFaultAndNotReadWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.json")
	write(t, file, "")
	if err := os.Truncate(file, 1<<40); err != nil {
		t.Skipf("sparse files: %v", err)
	}
	watchInputs(t, Folder(dir, nil)).reaches("", "is larger than")
}

func TestAFolderThatVanishesLeavesTheConfigurationAsItIs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "inputs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a.json"), "1")
	said := &talk{}
	w := watchSource(t, Folder(dir, said.logger()))
	w.sees(map[string]string{"a": "1"})
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says that the folder is gone", func() bool {
		said.mu.Lock()
		defer said.mu.Unlock()
		return strings.Contains(said.mu.text.String(), "the configuration stays as it is")
	})
	w.sees(map[string]string{"a": "1"})
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a.json"), "22")
	w.sees(map[string]string{"a": "22"})
}
