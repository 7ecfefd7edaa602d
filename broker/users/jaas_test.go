package users

import (
	"maps"
	"strings"
	"testing"
)

func TestJAASAsKafkasDocumentationHasIt(t *testing.T) {
	module, options, err := ParseJAAS(`org.apache.kafka.common.security.plain.PlainLoginModule required
  username="admin" password="admin-secret" user_admin="admin-secret" user_alice='a;"=' user_bob=plain-1 user_c="q\"uo\\te" serviceName = x ;`)
	want := map[string]string{"admin": "admin-secret", "alice": `a;"=`, "bob": "plain-1", "c": `q"uo\te`}
	if got := StaticPasswords(options); err != nil || module != "org.apache.kafka.common.security.plain.PlainLoginModule" || !maps.Equal(got, want) {
		t.Errorf("got %q, %q, %v", module, got, err)
	}
	if options["serviceName"] != "x" || options["username"] != "admin" {
		t.Errorf("options are %q", options)
	}
}

func TestBrokenJAASIsRefusedWithoutItsSecrets(t *testing.T) {
	for _, config := range []string{"", ";", "Module", "Module ;", "Module maybe a=b;", "Module required", "Module required a", "Module required a;",
		"Module required a=;", `Module required a="secret`, `Module required a="secret"`, "Module required a=secret; x", `Module required "secret"="x";`} {
		if module, options, err := ParseJAAS(config); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %q %q %v", config, module, options, err)
		}
	}
}

func FuzzParseJAAS(f *testing.F) {
	f.Add(`Module required user_a="b" c=d;`)
	f.Add(`Module required a='\`)
	f.Fuzz(func(t *testing.T, config string) {
		module, options, err := ParseJAAS(config)
		if err == nil && (module == "" || len(options) > len(config)) || err != nil && options != nil {
			t.Errorf("%q: %q %q %v", config, module, options, err)
		}
	})
}

// Whatever a client sends, nobody gets in without the password, and nothing breaks.
func FuzzTokens(f *testing.F) {
	u, err := Open(f.TempDir(), nil)
	if err != nil {
		f.Fatal(err)
	}
	c, err := Derive(SHA256, "a password that no fuzzer finds 7J#", MinIterations)
	if err != nil {
		f.Fatal(err)
	}
	static := map[string]Credential{"alice": c}
	f.Add([]byte("\x00alice\x00x"), []byte("n,,n=alice,r=fyko"), []byte("c=biws,r=fyko,p=dHzb"))
	f.Add([]byte("\x00\x00\x00"), []byte("p=tls-unique,,n=a,r=b"), []byte("c=,r=,p="))
	f.Add([]byte("a\x00alice\x00"), []byte("n,,n=alice,r=x,tokenauth=true"), []byte("e=other-error"))
	f.Fuzz(func(t *testing.T, one, first, final []byte) {
		if _, done, err := u.Begin(Plain, static).Step(t.Context(), one); done || err == nil {
			t.Errorf("PLAIN %q was let in", one)
		}
		for _, m := range []Mechanism{SHA256, SHA512} {
			e := u.Begin(m, static)
			for _, message := range [][]byte{first, final, final} {
				answer, done, err := e.Step(t.Context(), message)
				if done || err != nil && answer != nil {
					t.Errorf("%s %q: %q, done %v, %v", m, message, answer, done, err)
				}
			}
		}
	})
}
