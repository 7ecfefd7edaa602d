// Package oracle asks this broker and a real Apache Kafka the same requests, byte by byte and in every version that
// both serve, and wants the same answers. It has no code that runs outside tests.
package oracle
