// Package agent follows the files of one host and hands every line to the broker
// once: New checks its Config, Run follows until its context ends and drains. What it
// has sent is in its journal before it is sent, so a kill at any moment loses nothing.
package agent
