package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is the growth of the heap between two garbage collections in percent, an eighth of Go's default. Most of the heap is
// long-lived and few objects are created, so the collections cost little time and save memory. With a memory limit instead, the
// process would collect permanently in a cluster that is too large for the limit.
const gcPercent = 12

// saveMemory sets gcPercent unless the environment sets GOGC.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
