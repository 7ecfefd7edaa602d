package broker

import (
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/broker/quota"
)

// openQuotas reads what clients may move.
func (b *Broker) openQuotas() (*quota.Quotas, error) {
	return quota.Open(quota.Config{
		Path:    filepath.Join(b.cfg.Data, "client-quotas.json"),
		Disk:    b.cfg.Disk,
		Window:  time.Duration(b.settings.Int("quota.window.size.seconds")) * time.Second,
		Windows: int(b.settings.Int("quota.window.num")),
	})
}
