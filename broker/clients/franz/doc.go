// Package franz holds franz-go to the stories of broker/clients, with eager, cooperative and broker-side groups, and runs its
// transactions and its admin.
package franz
