// Package archive reads a compressed log file (gzip, zstd) as the bytes it was made
// from, at positions of these, forward and in bounded memory. An archive that is cut,
// damaged or beyond what may be kept in memory says so with its name and the position.
package archive
