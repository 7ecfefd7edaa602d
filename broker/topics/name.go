package topics

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"crypto/rand"
)

// ID is a topic's id: it stays the same for the topic's life and is another one when a topic of the same name is
// made again. Kafka prints it as 22 letters of URL base64.
type ID [16]byte

// NewID makes a random id (UUID version 4) that does not begin with a dash, as Kafka's command line wants it.
func NewID() ID {
	for {
		var id ID
		_, _ = rand.Read(id[:]) // never fails
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' {
			return id
		}
	}
}

// String is the id as Kafka prints it.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reads what String wrote.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("topic id %q is not 16 bytes of URL base64", s)
	}
	copy(id[:], b)
	return id, nil
}

// ErrInvalidName says that a topic's name is not one (Kafka's error 17).
var ErrInvalidName = errors.New("invalid topic name")

// CheckName holds a topic's name against Kafka's rule: 1 to 249 letters of [a-zA-Z0-9._-], and not "." or "..".
// It is also what keeps a name inside its folder.
func CheckName(name string) error {
	bad := func(why string, args ...any) error {
		return refused(ErrInvalidName, fmt.Errorf("Topic name is invalid: "+why, args...)) // Kafka's words
	}
	switch {
	case name == "":
		return bad("the empty string is not allowed")
	case name == "." || name == "..":
		return bad("'%s' is not allowed", name)
	case len(name) > 249:
		return bad("the length of '%s...' is longer than the max allowed length 249", name[:249])
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			continue
		}
		return bad("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return nil
}

// IsInternal says that a topic belongs to the broker: clients may read it and not write to it.
func IsInternal(name string) bool {
	return name == "__consumer_offsets" || name == "__transaction_state"
}

// collision is the same for two names that would be one in a metric, where "." becomes "_".
func collision(name string) string { return strings.ReplaceAll(name, ".", "_") }

// folder is the name of a partition's folder.
func folder(topic string, partition int32) string {
	return topic + "-" + strconv.Itoa(int(partition))
}

// parseFolder takes a partition's folder name apart.
func parseFolder(name string) (topic string, partition int32, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return "", 0, false
	}
	digits := name[i+1:]
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits || CheckName(name[:i]) != nil {
		return "", 0, false
	}
	return name[:i], int32(n), true
}
