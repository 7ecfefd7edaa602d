// Package sarama holds IBM's sarama to the stories of broker/clients, at its default settings and in each of the versions it
// can be set to, and runs its producers, consumers and admin as tutorials write them.
package sarama
