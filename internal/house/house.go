// Package house holds tests about the house itself: who may import whom and why, that every room has its door plate
// and every exported name its sentence. It has no code that runs.
package house
