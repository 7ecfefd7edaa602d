package wire

import (
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/loghaul/loghaul/internal/shape"
)

// shapesText says of what the bodies of requests consist, in the notation of package shape. Every request that kmsg
// decodes has a line; Produce and Fetch are read by decoders of their own.
//
//go:embed shapes.txt
var shapesText string

// shapes is made with the first request: not every process serves.
var shapes = sync.OnceValue(func() shape.Table {
	t, err := shape.Parse(shapesText)
	if err != nil {
		panic("broker/wire: shapes.txt: " + err.Error())
	}
	return t
})

// Skim walks over the body of a request, as shape.Table does, and returns what follows its last field. It is ErrMalformed
// when a length or a count says more than the bytes that are left can hold.
func Skim(key, version int16, body []byte) ([]byte, error) {
	rest, err := shapes().Skim(key, version, body)
	if err == nil {
		return rest, nil
	}
	if _, misfit := errors.AsType[*shape.MisfitError](err); misfit {
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil, err
}
