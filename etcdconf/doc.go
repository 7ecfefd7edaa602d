// Package etcdconf is configuration in etcd: first the whole, then every change, each with its
// revision. It turns keys into typed inputs and sinks, keeps the last good value when a bad one
// comes, and holds the status of agents and transfers under leases.
package etcdconf
