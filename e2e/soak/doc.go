// Package soak contains long tests. `make soak` runs them at full length; the scenarios run a short form.
package soak
