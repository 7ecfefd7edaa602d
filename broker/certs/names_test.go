package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// Each name is what Java's X500Principal.getName() gives for the same subject.
func TestNamesAreWrittenAsJavaWritesThem(t *testing.T) {
	email := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("a@b.c")}}
	for want, subject := range map[string]pkix.Name{
		"CN=writeuser,OU=Dept,O=Acme,L=Paris,ST=IDF,C=FR": {CommonName: "writeuser", OrganizationalUnit: []string{"Dept"}, Organization: []string{"Acme"}, Locality: []string{"Paris"}, Province: []string{"IDF"}, Country: []string{"FR"}},
		`CN=a\,b\+c\"d\\e\<f\>g\;h\=i\#j`:                 {CommonName: `a,b+c"d\e<f>g;h=i#j`},
		`CN=\ \ in the middle\ `:                          {CommonName: "  in the middle "},
		"CN=Zürich":                                       {CommonName: "Zürich"},
		"1.2.840.113549.1.9.1=#1605614062" + "2e63,CN=x":  {CommonName: "x", ExtraNames: []pkix.AttributeTypeAndValue{email}},
		"2.5.4.5=#130131,CN=x":                            {CommonName: "x", SerialNumber: "1"},
	} {
		raw, err := asn1.Marshal(subject.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DistinguishedName(raw); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestRulesMakeUsersOfNames(t *testing.T) {
	const name = "CN=ServiceUser,OU=ServiceUsers,O=Unknown,L=Unknown,ST=Unknown,C=Unknown"
	for rules, want := range map[string]string{
		"":                                      name,
		"DEFAULT":                               name,
		"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/": "ServiceUser",
		"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L,DEFAULT":               "serviceuser",
		"RULE:^CN=(.*?),OU=(.*?),O=(.*?),.*$/$1@$2/U , DEFAULT":        "SERVICEUSER@SERVICEUSERS",
		"RULE:^cn=.*$/x/,RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L":     "serviceuser",
		"RULE:^CN=(Service)(User),.*$/$2$1$3/":                         "UserService",
		`RULE:^CN=(.*?),.*$/a\/b\$$1$12/`:                              "a/b$ServiceUserServiceUser2",
		"RULE:^OU=x$/y/\nDEFAULT":                                      name,
		"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L\nRULE:^x$/y/,DEFAULT ": "serviceuser",
	} {
		r, err := ParseRules(rules)
		if err != nil {
			t.Errorf("%q: %v", rules, err)
			continue
		}
		if got, err := r.Apply(name); err != nil || got != want {
			t.Errorf("%q makes %q, %v, want %q", rules, got, err, want)
		}
	}
	none, err := ParseRules("RULE:^CN=nobody$/x/")
	if err != nil {
		t.Fatal(err)
	}
	if user, err := none.Apply(name); err == nil {
		t.Errorf("a name that no rule is about became %q", user)
	}
	for _, bad := range []string{"RULE:", "RULE:a", "RULE:a/b", "RULE:(/b/", "RULE:a/b/L DEFAULT", "DEFAULTX", "a", "RULE:a/b/X"} {
		if r, err := ParseRules(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, r)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add("RULE:^CN=(.*?),.*$/$1/L,DEFAULT", "CN=a,O=b")
	f.Add(`RULE:\//$0$9\/U`, "/")
	f.Fuzz(func(t *testing.T, rules, name string) {
		r, err := ParseRules(rules)
		if err != nil {
			return
		}
		if user, err := r.Apply(name); err == nil && user == "" && name != "" {
			t.Errorf("%q makes an empty user of %q", rules, name)
		}
	})
}

func FuzzDistinguishedName(f *testing.F) {
	raw, _ := asn1.Marshal(pkix.Name{CommonName: "a, b", SerialNumber: "1"}.ToRDNSequence())
	f.Add(raw)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if name, err := DistinguishedName(raw); err == nil && strings.ContainsRune(name, 0) {
			t.Errorf("%x is %q", raw, name)
		}
	})
}
