// Package campaign loads a broker from many sides at once and takes it away under the load, by kill -9 and by power cuts,
// or lets it run for hours: what was acknowledged is there, once and in order, and memory and open files stay flat.
//
// Each campaign is a test with its length as a flag, and prints one line at its end:
//
//	go test ./broker/campaign -run Killed -kills 200
//	go test ./broker/campaign -run Cut -cuts 500
//	go test ./broker/campaign -run Soak -for 8h -timeout 9h
package campaign
