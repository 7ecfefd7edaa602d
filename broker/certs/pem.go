package certs

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// checkType refuses stores that are no PEM, and says how to make one of them.
func checkType(prefix, kind, path string, data []byte) error {
	kind = strings.ToUpper(kind)
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		if kind == "PEM" || kind == "" {
			return nil
		}
		return fmt.Errorf("it is PEM: set %s.type=PEM", prefix)
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		kind = "JKS"
	case bytes.HasPrefix(data, []byte{0x30}):
		kind = "PKCS12"
	}
	options := "-nodes"
	if prefix == "ssl.truststore" {
		options = "-nokeys"
	}
	convert := fmt.Sprintf("openssl pkcs12 -in %s %s -out store.pem", path, options)
	switch kind {
	case "PKCS12":
	case "JKS":
		convert = fmt.Sprintf("keytool -importkeystore -srckeystore %s -destkeystore store.p12 -deststoretype PKCS12 && openssl pkcs12 -in store.p12 %s -out store.pem", path, options)
	default:
		return fmt.Errorf("there is no PEM in it")
	}
	return fmt.Errorf("a %s store is not served: convert it with %s, then set %s.type=PEM and %s.location=store.pem", kind, convert, prefix, prefix)
}

var folded = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END [A-Z0-9 ]+-----`)

// unfold makes PEM of a setting's value, whose lines may be joined by spaces or by \n written out.
func unfold(value string) []byte {
	value = strings.ReplaceAll(value, `\n`, "\n")
	var b bytes.Buffer
	for _, block := range folded.FindAllStringSubmatch(value, -1) {
		if strings.Contains(block[2], ":") { // headers of an old encrypted key
			fmt.Fprintf(&b, "%s\n", block[0])
			continue
		}
		fmt.Fprintf(&b, "-----BEGIN %s-----\n", block[1])
		text := strings.Join(strings.Fields(block[2]), "")
		for len(text) > 0 {
			n := min(64, len(text))
			fmt.Fprintf(&b, "%s\n", text[:n])
			text = text[n:]
		}
		fmt.Fprintf(&b, "-----END %s-----\n", block[1])
	}
	return b.Bytes()
}
