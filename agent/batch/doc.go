// Package batch gathers the lines of one partition until they are enough or old
// enough: records are encoded straight from the read buffer, and the ranges of
// source bytes that they came from are kept beside them, so that the very same
// batch can be made again from the files.
package batch
