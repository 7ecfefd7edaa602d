package certs

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// shortNames are the attributes that a name spells out; others are numbers with their value in hexadecimal. They are
// those of RFC 2253, as Java writes names, so that a user is called here what Kafka calls it.
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attributeSET is one step of a name; its suffix tells encoding/asn1 that it is a set.
type attributeSET []attribute

// DistinguishedName writes the subject of a certificate as Java's X500Principal.getName does: the last step first.
func DistinguishedName(raw []byte) (string, error) {
	var steps []attributeSET
	if rest, err := asn1.Unmarshal(raw, &steps); err != nil {
		return "", err
	} else if len(rest) > 0 {
		return "", errors.New("bytes follow the name")
	}
	var parts []string
	for i := len(steps) - 1; i >= 0; i-- {
		var pairs []string
		for _, a := range steps[i] {
			pairs = append(pairs, a.String())
		}
		parts = append(parts, strings.Join(pairs, "+"))
	}
	return strings.Join(parts, ","), nil
}

// String writes one attribute.
func (a attribute) String() string {
	short, known := shortNames[a.Type.String()]
	if !known {
		short = a.Type.String()
	}
	text, ok := textOf(a.Value)
	if !known || !ok {
		return short + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return short + "=" + escaped(text)
}

// textOf is an attribute's value if it is one of the kinds of text.
func textOf(v asn1.RawValue) (string, bool) {
	var s string
	if v.Class != asn1.ClassUniversal {
		return "", false
	}
	_, err := asn1.Unmarshal(v.FullBytes, &s)
	return s, err == nil
}

// escaped puts \ before what has a meaning in a name.
func escaped(s string) string {
	var b strings.Builder
	for i, c := range s {
		last := i == len(s)-1
		switch {
		case strings.ContainsRune(`,=+<>#;"\`, c), c == ' ' && (i == 0 || last || strings.Trim(s[:i], " ") == "" || strings.Trim(s[i:], " ") == ""):
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == 0:
			fmt.Fprintf(&b, `\00`)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
