package users

import (
	"errors"
	"fmt"
	"strings"
)

// ParseJAAS reads the value of Kafka's sasl.jaas.config: one login module with its options,
//
//	org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret" user_bob="secret";
//
// An error names a place, never a value: there are passwords among them.
func ParseJAAS(config string) (module string, options map[string]string, err error) {
	r := jaasReader{text: config}
	if module, err = r.word(); err != nil {
		return "", nil, err
	}
	flag, err := r.word()
	if err != nil {
		return "", nil, err
	}
	switch strings.ToLower(flag) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return "", nil, r.failed("required, requisite, sufficient or optional must follow the module")
	}
	options = map[string]string{}
	for {
		r.space()
		if r.take(';') {
			break
		}
		key, err := r.word()
		if err != nil {
			return "", nil, err
		}
		if r.space(); !r.take('=') {
			return "", nil, r.failed("= must follow an option's name")
		}
		if options[key], err = r.value(); err != nil {
			return "", nil, err
		}
	}
	if r.space(); r.at < len(r.text) {
		return "", nil, r.failed("only one login module may be named")
	}
	return module, options, nil
}

// StaticPasswords are the user_NAME options of a login module, by name.
func StaticPasswords(options map[string]string) map[string]string {
	passwords := map[string]string{}
	for key, value := range options {
		if name, ok := strings.CutPrefix(key, "user_"); ok {
			passwords[name] = value
		}
	}
	return passwords
}

// jaasReader reads tokens from left to right.
type jaasReader struct {
	text string
	at   int
}

func (r *jaasReader) failed(what string) error {
	return fmt.Errorf("at character %d: %s", r.at+1, what)
}

func (r *jaasReader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

func (r *jaasReader) take(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// word reads up to a space or a sign.
func (r *jaasReader) word() (string, error) {
	r.space()
	began := r.at
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n=;\"'", r.text[r.at]) < 0 {
		r.at++
	}
	if r.at == began {
		if r.at == len(r.text) {
			return "", errors.New("the end is missing: it must be a semicolon")
		}
		return "", r.failed("a word must stand here")
	}
	return r.text[began:r.at], nil
}

// value reads what stands behind an equals sign: a word, or text in quotes with \ before what is meant as it is.
func (r *jaasReader) value() (string, error) {
	r.space()
	quote := byte(0)
	if r.at < len(r.text) && (r.text[r.at] == '"' || r.text[r.at] == '\'') {
		quote = r.text[r.at]
		r.at++
	} else {
		return r.word()
	}
	var b strings.Builder
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\\' && r.at < len(r.text):
			b.WriteByte(unescaped(r.text[r.at]))
			r.at++
		default:
			b.WriteByte(c)
		}
	}
	return "", r.failed("the closing quote is missing")
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	}
	return c
}
