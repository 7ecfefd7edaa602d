// Package e2e holds the whole pipe in one test process: a real writer that rotates
// its file, and broker, agent and transfer as processes of their own, which are
// killed at random moments while every line is counted from file to sink.
//
// The campaign is a test with its length as a flag:
//
//	go test ./deploy/e2e -run Killed -kills 200
package e2e
