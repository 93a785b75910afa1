// Package soak contains long-running tests: faults while machines are created, updated and deleted. "make soak" runs them
// at full length, and "make scenarios" runs a short version.
package soak
