package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/loghaul/loghaul"

// source is one Go file of the tree.
type source struct {
	room  string // folder from the root with slashes, "." for the root
	name  string // file name
	test  bool
	lines int
	file  *ast.File
}

// where is the file's path from the root.
func (s source) where() string { return path.Join(s.room, s.name) }

// tree parses every Go file of the module, whatever system it is for; once for all tests.
func tree(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set, files, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Go files: this is not the whole tree", len(files))
	}
	return set, files
}

// parsed does the work of tree; the outcome is shared and not written to.
func parsed() (*token.FileSet, []source, error) {
	once.Do(func() {
		once.set = token.NewFileSet()
		once.err = walk(filepath.Join("..", ".."))
	})
	return once.set, once.files, once.err
}

var once struct {
	sync.Once
	set   *token.FileSet
	files []source
	err   error
}

func walk(root string) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "loghaul-data") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(once.set, p, b, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		once.files = append(once.files, source{
			room: filepath.ToSlash(rel), name: d.Name(), test: strings.HasSuffix(p, "_test.go"),
			lines: strings.Count(string(b), "\n"), file: f,
		})
		return nil
	})
}
