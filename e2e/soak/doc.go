// Package soak contains long-running tests. "make soak" runs them at full length, and "make scenarios" runs a short
// version.
package soak
