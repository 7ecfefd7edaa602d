package cli

import (
	"github.com/loghaul/loghaul/broker"
	"github.com/spf13/pflag"
)

// diskFlags say how much of the disk the broker may take.
type diskFlags struct {
	budget size
	onFull string
}

// add defines the flags.
func (f *diskFlags) add(fl *pflag.FlagSet) {
	fl.Var(&f.budget, "disk-budget", "bytes that all topics may take together, a twentieth of it kept for commits and dead letters (default: what the disk has)")
	fl.StringVar(&f.onFull, "on-full", "block", "what happens then: block refuses records and deletes only what every live group has committed, drop-oldest deletes the oldest of the largest topics")
}

// claims are the sinks that the broker asks for: none without a budget, and none without etcd.
func (f *diskFlags) claims(sinks *sinkClaims, withoutEtcd bool) func() ([]broker.SinkClaim, bool) {
	if f.budget == 0 || withoutEtcd {
		return nil
	}
	return sinks.claims
}
