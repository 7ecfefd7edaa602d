package users

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// finalOf is what a client answers to a challenge, with a nonce of its choice.
func finalOf(t *testing.T, password, first, challenge, nonce string) string {
	t.Helper()
	var salt []byte
	for field := range strings.SplitSeq(challenge, ",") {
		if s, ok := strings.CutPrefix(field, "s="); ok {
			salt, _ = base64.StdEncoding.DecodeString(s)
		}
	}
	salted, err := saltedPassword(SHA256, password, salt, MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	key := sign(sha256.New, salted, "Client Key")
	stored := sha256.Sum256(key)
	without := "c=biws,r=" + nonce
	for i, b := range sign(sha256.New, stored[:], first+","+challenge+","+without) {
		key[i] ^= b
	}
	return without + ",p=" + base64.StdEncoding.EncodeToString(key)
}

func TestTheNonceMustBeTheOneThatWasGiven(t *testing.T) {
	u := open(t, t.TempDir())
	add(t, u, "alice", SHA256, "x")
	for name, want := range map[string]bool{"as given": true, "twice the client's, as librdkafka 2.0.2": true, "only the client's": false, "made up": false, "none": false} {
		e := u.Begin(SHA256, nil)
		challenge, _, err := e.Step(t.Context(), []byte("n,,n=alice,r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		given, _, _ := strings.Cut(strings.TrimPrefix(string(challenge), "r="), ",")
		nonce := map[string]string{"as given": given, "twice the client's, as librdkafka 2.0.2": "abc" + given, "only the client's": "abc", "made up": "x" + given, "none": ""}[name]
		_, done, err := e.Step(t.Context(), []byte(finalOf(t, "x", "n=alice,r=abc", string(challenge), nonce)))
		if done != want || (err == nil) != want {
			t.Errorf("a nonce %s: done %v, %v", name, done, err)
		}
		if _, done, err := e.Step(t.Context(), []byte("x")); done || err == nil {
			t.Error("a third message was taken")
		}
	}
}

func TestMessagesThatAreNoSCRAM(t *testing.T) {
	u := open(t, t.TempDir())
	add(t, u, "alice", SHA256, "x")
	for _, first := range []string{"", ",", "n,,", "n,,n=alice", "n,,r=a,n=alice", "p=tls-unique,,n=alice,r=a", "n,,m=x,n=alice,r=a", "n,,n=,r=a", "n,,n=al=ice,r=a", "n,,n=alice,r=",
		"n,,n=alice,r=a b", "n,x,n=alice,r=a", "n,a==,n=alice,r=a", "n,,n=alice,r=a,tokenauth=true", "\xff"} {
		if answer, _, err := u.Begin(SHA256, nil).Step(t.Context(), []byte(first)); err == nil || answer != nil {
			t.Errorf("%q was answered with %q", first, answer)
		}
	}
	for _, final := range []string{"", "c=biws", "c=biws,r=a", "c=biws,r=a,p=", "c=biws,r=a,p=!", "r=a,c=biws,p=AA==", "c=!,r=a,p=" + strings.Repeat("A", 43) + "="} {
		e := u.Begin(SHA256, nil)
		if _, _, err := e.Step(t.Context(), []byte("y,,n=alice,r=a")); err != nil {
			t.Fatal(err)
		}
		if answer, done, err := e.Step(t.Context(), []byte(final)); err == nil || done || answer != nil {
			t.Errorf("%q was answered with %q", final, answer)
		}
	}
}
