package etcdconf

import (
	"errors"
	"strings"
	"testing"
)

func TestValuesAreStoredReadAndRemoved(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	ctx := t.Context()
	first := mustPut(t, c, KindInput, "b", "1")
	second := mustPut(t, c, KindInput, "a", "2")
	mustPut(t, c, KindSink, "a", "a sink")
	if second <= first {
		t.Errorf("the revisions are %d and %d", first, second)
	}
	values, err := c.List(ctx, KindInput)
	if err != nil || len(values) != 2 || values[0].Name != "a" || values[1].Name != "b" {
		t.Errorf("listed %v (%v)", values, err)
	}
	v, err := c.Get(ctx, KindInput, "b")
	if err != nil || string(v.Data) != "1" || v.Revision != first || v.Key != "/loghaul/v1/inputs/b" {
		t.Errorf("got %+v (%v)", v, err)
	}
	if _, err := c.Delete(ctx, KindInput, "b"); err != nil {
		t.Error(err)
	}
	_, get := c.Get(ctx, KindInput, "b")
	_, remove := c.Delete(ctx, KindInput, "b")
	if !errors.Is(get, ErrNotFound) || !errors.Is(remove, ErrNotFound) {
		t.Errorf("of what is not there: get says %v, delete says %v", get, remove)
	}
	if _, err := c.Put(ctx, KindInput, "No/Name", nil); err == nil || !strings.Contains(err.Error(), "No/Name") {
		t.Errorf("a bad name was stored: %v", err)
	}
}

func TestAValueThatChangedMeanwhileIsNotOverwritten(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	ctx := t.Context()
	at, err := c.PutIf(ctx, KindInput, "a", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutIf(ctx, KindInput, "a", []byte("again"), 0); !errors.Is(err, ErrConflict) {
		t.Errorf("creating what exists: %v", err)
	}
	if _, err := c.PutIf(ctx, KindInput, "a", []byte("2"), at); err != nil {
		t.Error(err)
	}
	if _, err := c.PutIf(ctx, KindInput, "a", []byte("3"), at); !errors.Is(err, ErrConflict) {
		t.Errorf("overwriting what changed: %v", err)
	}
}

func TestWhatCannotReachEtcdIsRefusedBeforeItTries(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]Config{
		"Endpoints must name":        {},
		"must be a URL":              {Endpoints: []string{"ftp://x"}},
		"Cert and Key":               {Endpoints: []string{"a:1"}, Cert: "c"},
		"User and PasswordFile":      {Endpoints: []string{"a:1"}, User: "u"},
		"--etcd-password-file":       {Endpoints: []string{"a:1"}, User: "u", PasswordFile: "/does/not/exist"},
		"--etcd-ca":                  {Endpoints: []string{"https://a:1"}, CA: "/does/not/exist"},
		"--etcd-cert and --etcd-key": {Endpoints: []string{"https://a:1"}, Cert: "/does/not/exist", Key: "/does/not/exist"},
	} {
		if c, err := Dial(cfg); err == nil || !strings.Contains(err.Error(), want) {
			if c != nil {
				c.Close()
			}
			t.Errorf("%+v: got %v, want %s", cfg, err, want)
		}
	}
}
