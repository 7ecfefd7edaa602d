// Package kafkago holds segmentio's kafka-go to the stories of broker/clients, and runs its Writer, Reader, Conn and Client.
package kafkago
