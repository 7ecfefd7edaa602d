package house

import (
	"go/ast"
	"go/doc"
	"go/token"
	"strings"
	"testing"
)

func TestEveryRoomHasOneDoorPlate(t *testing.T) {
	set, files := tree(t)
	plates := map[string]int{}
	rooms := map[string]bool{}
	for _, s := range files {
		if s.test {
			continue
		}
		rooms[s.room] = true
		if s.file.Doc == nil || strings.TrimSpace(s.file.Doc.Text()) == "" {
			continue
		}
		plates[s.room]++
		first := strings.SplitN(s.file.Doc.Text(), "\n", 2)[0]
		begins := "Package " + s.file.Name.Name + " "
		if s.file.Name.Name == "main" {
			begins = ""
		}
		if !strings.HasPrefix(first, begins) {
			t.Errorf("%s: the door plate begins %q, want %q", set.Position(s.file.Package), first, begins)
		}
	}
	for room := range rooms {
		if plates[room] != 1 {
			t.Errorf("%s has %d door plates, want one: a package comment of one to three lines that says what it promises", room, plates[room])
		}
	}
}

func TestEveryExportedNameHasASentence(t *testing.T) {
	set, files := tree(t)
	byRoom := map[string][]*ast.File{}
	for _, s := range files {
		if !s.test && s.room != "." {
			byRoom[s.room] = append(byRoom[s.room], s.file)
		}
	}
	for room, asts := range byRoom {
		p, err := doc.NewFromFiles(set, asts, module+"/"+room, doc.AllDecls|doc.PreserveAST) // without AllDecls the shared trees would lose what is not exported
		if err != nil {
			t.Fatal(err)
		}
		missing := func(name string, at token.Pos, text string) {
			if ast.IsExported(name) && strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s has no sentence that says what it is", set.Position(at), name)
			}
		}
		values(p.Consts, missing)
		values(p.Vars, missing)
		funcs(p.Funcs, missing)
		for _, typ := range p.Types {
			missing(typ.Name, typ.Decl.Pos(), typ.Doc)
			values(typ.Consts, missing) // exported also where the type is not
			values(typ.Vars, missing)
			funcs(typ.Funcs, missing)
			funcs(typ.Methods, missing)
		}
	}
}

type complain func(name string, at token.Pos, text string)

// values checks exported constants and variables: the group's sentence or the name's own counts.
func values(list []*doc.Value, missing complain) {
	for _, v := range list {
		for _, spec := range v.Decl.Specs {
			s, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, n := range s.Names {
				missing(n.Name, n.Pos(), v.Doc+s.Doc.Text()+s.Comment.Text())
			}
		}
	}
}

// wellKnown are methods whose sentence is the interface's they fulfil.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "String": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
}

func funcs(list []*doc.Func, missing complain) {
	for _, f := range list {
		if f.Recv != "" && (wellKnown[f.Name] || !ast.IsExported(strings.TrimLeft(f.Recv, "*"))) {
			continue
		}
		missing(f.Name, f.Decl.Pos(), f.Doc)
	}
}
