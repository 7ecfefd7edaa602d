package kafkago_test

import (
	"testing"

	"github.com/loghaul/loghaul/broker/clients"
)

func TestWriterAndReader(t *testing.T) {
	clients.Stories(t, serve(t), client)
}
