package sarama_test

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker/clients"
)

func TestAtItsDefaults(t *testing.T) {
	clients.Stories(t, serve(t), client("default", sarama.NewConfig))
}

func TestGroupsInTheFirstAndLastVersionThatHasThem(t *testing.T) {
	addr := serve(t)
	for name, version := range map[string]sarama.KafkaVersion{"0.10.2": sarama.V0_10_2_0, "4.0": sarama.V4_0_0_0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients.Stories(t, addr, client(name, at(version)))
		})
	}
}

func TestEachVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("the versions at both ends and the default are told elsewhere")
	}
	addr := serve(t)
	told := map[string]bool{}
	for _, version := range sarama.SupportedVersions {
		minor := strings.TrimRight(strings.TrimRight(version.String(), "0123456789"), ".")
		if told[minor] { // a later patch, which asks for the same
			continue
		}
		told[minor] = true
		t.Run(version.String(), func(t *testing.T) {
			t.Parallel()
			c := client(version.String(), at(version))
			c.Member = nil // a member's requests are told by the versions at both ends
			clients.Stories(t, addr, c)
		})
	}
}
