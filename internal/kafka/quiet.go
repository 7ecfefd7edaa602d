package kafka

import "github.com/rcrowley/go-metrics"

// sarama meters every request through go-metrics, which starts a goroutine that
// lives as long as the process. Our own metrics say the same, so its are off: this
// is the switch that the library has, read whenever a meter is made.
func init() { metrics.UseNilMetrics = true }
