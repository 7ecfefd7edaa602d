// Package javascript runs the programs beside it, one for each JavaScript client, against the broker: stories.js tells what
// every client must live through, the program named after the client says how it does that.
package javascript
