// Package cli is the command line: one file per command, each reading flags, building a part, running it and turning
// its error into an exit code. It promises what people type and what scripts read.
package cli
