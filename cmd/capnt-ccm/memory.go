package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much the heap may grow between collections: an eighth of what is usual. Most of it is there all the time, little
// is made anew, and so memory is worth more than the time of a collection. A limit of memory instead would let a cluster that is
// too large for it collect all the time.
const gcPercent = 12

// saveMemory sets what the environment does not: GOGC and GOMEMLIMIT are those of every Go program.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
