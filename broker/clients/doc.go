// Package clients runs the clients of other makers against a broker: the stories that each of them must live through are
// told once here, and a folder for each client says how it does what they ask. Programs in other languages lie beside them.
package clients
