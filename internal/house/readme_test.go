package house

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheNineStepsOfTheReadmeExist(t *testing.T) {
	_, files := tree(t)
	functions := map[string]bool{}
	for _, s := range files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				functions[s.where()+":"+n.Name.Name] = true
			case *ast.InterfaceType:
				for _, m := range n.Methods.List {
					for _, name := range m.Names {
						functions[s.where()+":"+name.Name] = true
					}
				}
			}
			return true
		})
	}
	steps := regexp.MustCompile("(?m)^[1-9]\\. `([^`]+)`").FindAllStringSubmatch(readme(t), -1)
	if len(steps) != 9 {
		t.Errorf("README.md tells %d steps, want nine", len(steps))
	}
	for _, s := range steps {
		if !functions[s[1]] {
			t.Errorf("README.md sends its reader to %s, which does not exist", s[1])
		}
	}
}

func TestEveryRoomIsInTheReadme(t *testing.T) {
	_, files := tree(t)
	text := readme(t)
	seen := map[string]bool{}
	for _, s := range files {
		if s.room == "." || seen[s.room] {
			continue
		}
		seen[s.room] = true
		alone := strings.Contains(text, "`"+s.room+"`") || strings.Contains(text, "`"+s.room+"/`")
		inPlate := strings.Contains(text, "`"+path.Dir(s.room)+"`") && strings.Contains(text, "`"+path.Base(s.room)+"`")
		if !alone && !inPlate {
			t.Errorf("%s has no plate in README.md", s.room)
		}
	}
}

func TestEveryFolderOfTheReadmeExists(t *testing.T) {
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(readme(t), -1) {
		if info, err := os.Stat(filepath.Join("..", "..", m[1])); err != nil || !info.IsDir() {
			t.Errorf("README.md has a plate for %s, which is no folder: %v", m[1], err)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z/]+\\.md|[a-z]+/DESIGN\\.md)`").FindAllStringSubmatch(readme(t), -1) {
		if _, err := os.Stat(filepath.Join("..", "..", m[1])); err != nil {
			t.Errorf("README.md names %s: %v", m[1], err)
		}
	}
}
