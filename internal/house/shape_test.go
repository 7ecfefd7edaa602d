package house

import (
	"go/ast"
	"slices"
	"strconv"
	"testing"
)

func TestFilesStaySmall(t *testing.T) {
	_, files := tree(t)
	for _, s := range files {
		if s.lines > 400 {
			t.Errorf("%s has %d lines: a file holds one idea, in at most 400", s.where(), s.lines)
		}
	}
}

func TestFunctionsStaySmall(t *testing.T) {
	set, files := tree(t)
	for _, s := range files {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > 60 {
				t.Errorf("%s: %s has %d lines: a function is a short walk, of at most 60", set.Position(f.Pos()), f.Name.Name, n)
			}
		}
	}
}

func TestTestsWaitForConditionsNotForTime(t *testing.T) {
	set, files := tree(t)
	for _, s := range files {
		if !s.test || imports(s, "testing/synctest") { // whose sleep is virtual
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && sel.Sel.Name == "Sleep" {
				t.Errorf("%s: time.Sleep in a test: wait for a condition with a deadline, or use testing/synctest", set.Position(n.Pos()))
			}
			return true
		})
	}
}

func TestRoomsThatStartGoroutinesCheckForLeaks(t *testing.T) {
	_, files := tree(t)
	starts, checks := map[string]string{}, map[string]bool{}
	for _, s := range files {
		if s.test {
			checks[s.room] = checks[s.room] || imports(s, "go.uber.org/goleak")
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				starts[s.room] = s.where()
			}
			return true
		})
	}
	for room, where := range starts {
		if !checks[room] {
			t.Errorf("%s starts goroutines, but no test of %s checks with goleak that they end", where, room)
		}
	}
}

func imports(s source, pkg string) bool {
	return slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool {
		return i.Path.Value == strconv.Quote(pkg)
	})
}
