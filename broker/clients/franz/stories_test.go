package franz_test

import (
	"testing"

	"github.com/loghaul/loghaul/broker/clients"
)

func TestEachWayOfBeingInAGroup(t *testing.T) {
	addr := serve(t)
	for i, c := range members {
		if testing.Short() && i > 0 && c.Name != "broker-side" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if i > 0 {
				c.Codecs, c.OffsetAt = nil, nil // told once
			}
			clients.Stories(t, addr, c)
		})
	}
}
