package handle

import (
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/txn"
)

// Coordinators are the rooms behind the requests of groups, idempotent producers and transactions.
type Coordinators struct {
	Groups      *group.Coordinator // loaded and running
	ProducerIDs *txn.ProducerIDs
	Txns        *txn.Coordinator // loaded and running
}
