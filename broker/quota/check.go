package quota

import (
	"fmt"
	"math"
	"net"
)

// check holds a change against what Kafka allows, in Kafka's words.
func check(e Entity, changes []Change) error {
	switch {
	case e == Entity{}:
		return invalid("Invalid empty client quota entity")
	case e.IP.Set && (e.User.Set || e.Client.Set):
		return invalid("Invalid quota entity combination, IP entity should not be combined with User or ClientId")
	case e.IP.Name != "" && net.ParseIP(e.IP.Name) == nil && !isHost(e.IP.Name):
		return invalid("%s is not a valid IP or resolvable host.", e.IP.Name)
	}
	for _, c := range changes {
		if err := checkChange(e, c); err != nil {
			return err
		}
	}
	return nil
}

func checkChange(e Entity, c Change) error {
	if c.Remove {
		return nil
	}
	whole := true
	switch c.Key {
	case Connections:
		if !e.IP.Set {
			return invalid("Invalid configuration key %s", c.Key)
		}
	case Request, Mutation:
		whole = false
		fallthrough
	case Produce, Fetch:
		if e.IP.Set {
			return invalid("Invalid configuration key %s", c.Key)
		}
	default:
		return invalid("Invalid configuration key %s", c.Key)
	}
	switch {
	case math.IsNaN(c.Value) || math.IsInf(c.Value, 0) || c.Value <= 0 && c.Key != Connections || c.Value < 0:
		return invalid("Quota %s must be greater than 0", c.Key)
	case whole && c.Value != math.Trunc(c.Value):
		return invalid("%s cannot be a fractional value.", c.Key)
	case c.Key == Connections && c.Value > math.MaxInt32:
		return invalid("%s cannot be greater than %d", c.Key, math.MaxInt32)
	}
	return nil
}

// isHost says whether a name could be a host's; it is not looked up, a resolver may take its time.
func isHost(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return len(name) <= 253
}

// invalidError is an ErrInvalid whose text is for the client.
type invalidError string

func invalid(format string, args ...any) error { return invalidError(fmt.Sprintf(format, args...)) }

// Error is what the client is told.
func (e invalidError) Error() string { return string(e) }

// Is says that it is an ErrInvalid.
func (e invalidError) Is(target error) bool { return target == ErrInvalid }
