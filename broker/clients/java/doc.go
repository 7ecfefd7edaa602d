// Package java runs Kafka's own command line tools and Java clients against this broker and against a real Apache Kafka,
// and wants the same answers from both. It has no code that runs outside tests.
package java
