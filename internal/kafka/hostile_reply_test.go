package kafka

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill writes random content into an answer.
func fill(rnd *rand.Rand, v reflect.Value) {
	if _, ok := v.Addr().Interface().(*kmsg.Tags); ok {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rnd, v.Field(i))
		}
	case reflect.Pointer:
		if v.SetZero(); rnd.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rnd, v.Elem())
		}
	case reflect.Slice:
		n := rnd.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rnd, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rnd, v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", rnd.IntN(9)))
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rnd.Uint64()))
	case reflect.Uint8:
		v.SetUint(uint64(rnd.Uint32() & 0xff))
	}
}

func eachReply(f func(key, version int16)) {
	for key := range int16(len(replies())) {
		for version := range int16(20) {
			if replies().Knows(key, version) {
				f(key, version)
			}
		}
	}
}

func TestAnAnswerIsWalkedOverToItsLastByte(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	eachReply(func(key, version int16) {
		for range 30 {
			resp := kmsg.ResponseForKey(key)
			fill(rnd, reflect.ValueOf(resp).Elem())
			resp.SetVersion(version)
			body := resp.AppendTo(nil)
			if rest, err := replies().Skim(key, version, append(body, "more"...)); err != nil || string(rest) != "more" {
				t.Fatalf("%s %d: %v, %d bytes of %d are left\n%x", kmsg.NameForKey(key), version, err, len(rest), len(body), body)
			}
			if n := rnd.IntN(len(body)); n > 0 {
				if _, err := replies().Skim(key, version, body[:n]); err == nil {
					t.Fatalf("%s %d: the first %d of %d bytes pass", kmsg.NameForKey(key), version, n, len(body))
				}
			}
		}
	})
}

// Four bytes that announce as many tags as they can would keep a decoder busy for minutes, with all the memory there is.
func TestAnAnswerOfBombsIsRefused(t *testing.T) {
	bomb := kbin.AppendUvarint(nil, 0xffff_ffff)
	eachReply(func(key, version int16) {
		resp := kmsg.ResponseForKey(key)
		resp.SetVersion(version)
		body := resp.AppendTo(nil)
		if resp.IsFlexible() {
			if err := decode(resp, append(append([]byte{0}, body[:len(body)-1]...), bomb...)); err == nil {
				t.Errorf("%s %d: an answer of 4294967295 tags is taken", kmsg.NameForKey(key), version)
			}
		}
	})
	for version, body := range map[int16][]byte{4: {0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, 10: append([]byte{0, 0, 0, 0}, kbin.AppendUvarint(nil, 0x7fff_ffff)...)} { // brokers
		resp := kmsg.NewPtrMetadataResponse()
		resp.Version = version
		if err := decode(resp, body); err == nil || !strings.Contains(err.Error(), "field brokers") {
			t.Errorf("metadata %d of ever so many brokers: %v", version, err)
		}
	}
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 4
	if err := decode(resp, make([]byte, mostDecoded+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("an answer of more than %d bytes: %v", mostDecoded, err)
	}
}

// What the program asks for, it knows the shape of.
func TestEveryAnswerThatIsAskedForHasAShape(t *testing.T) {
	asked := 0
	for _, part := range []string{"agent", "transfer", "internal"} {
		err := filepath.WalkDir(filepath.Join("..", "..", part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "realkafka") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(source), "kmsg.NewPtr") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || !strings.HasPrefix(s.Sel.Name, "NewPtr") || !strings.HasSuffix(s.Sel.Name, "Request") {
					return true
				}
				name := strings.TrimSuffix(strings.TrimPrefix(s.Sel.Name, "NewPtr"), "Request")
				for key := range int16(100) {
					if strings.EqualFold(kmsg.NameForKey(key), name) {
						if asked++; int(key) >= len(replies()) || replies()[key] == nil {
							t.Errorf("%s asks for %s, whose answer has no line in replies.txt", path, name)
						}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if asked < 10 {
		t.Errorf("only %d requests were found", asked)
	}
}
