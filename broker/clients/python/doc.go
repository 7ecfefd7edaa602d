// Package python runs the programs beside it, one for each Python client, against the broker: stories.py tells what every
// client must live through, the program named after the client says how it does that.
package python
