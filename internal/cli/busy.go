package cli

import (
	"errors"

	"github.com/loghaul/loghaul/internal/listen"
)

// withFlag makes a part's complaint about a taken address name the flag of this command that chooses another.
func withFlag(err error, flag string) error {
	e, ok := errors.AsType[*listen.InUseError](err)
	if !ok {
		return err
	}
	return &listen.InUseError{Addr: e.Addr, Flag: flag, Owner: e.Owner, Err: e.Err}
}
