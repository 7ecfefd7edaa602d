// Package campaign lets programs log and rotate as real ones do, kills the agent and the
// broker under them at random moments, and holds every line that was written against the
// topics: each is there once.
//
// Each campaign is a test with its length as a flag, and prints one line a style of
// rotation at its end:
//
//	go test -v ./agent/campaign -run Killed -kills 1000 -timeout 2h
//	go test -v ./agent/campaign -run Killed -styles copytruncate,nginx -kills 1000
//	go test -v ./agent/campaign -run Leaders -kills 50 -timeout 1h
//	go test -v ./agent/campaign -run Bar
package campaign
