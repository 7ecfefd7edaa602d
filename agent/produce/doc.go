// Package produce sends sealed batches to the leaders of their partitions and says
// when each is acknowledged: in order inside a partition, each once, for as long as
// it takes. sarama finds brokers, leaders and producer ids; the batches travel as
// Produce v7 or v8 frames of their own bytes over one connection a broker.
package produce
