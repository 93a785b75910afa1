package world

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Calls are the requests that Prism Central got since CountCalls.
type Calls struct {
	w    *World
	from int
}

// identifiers in paths, which are left out of summaries.
var identifiers = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

// CountCalls starts to count what Prism Central is asked.
func (w *World) CountCalls() Calls { return Calls{w, len(w.Prism.Requests())} }

// Total is their number.
func (c Calls) Total() int { return len(c.w.Prism.Requests()) - c.from }

// String counts them by method and path.
func (c Calls) String() string {
	count := map[string]int{}
	for _, request := range c.w.Prism.Requests()[c.from:] {
		count[request.Method+" "+identifiers.ReplaceAllString(request.Path, "*")]++
	}
	lines := make([]string, 0, len(count))
	for _, what := range slices.Sorted(maps.Keys(count)) {
		lines = append(lines, fmt.Sprintf("%d %s", count[what], what))
	}
	return strings.Join(lines, ", ")
}

// Idle waits until no task of Prism Central runs.
func (w *World) Idle() {
	w.t.Helper()
	w.Until("the tasks of Prism Central to end", w.runs)
}

// runs names a task that runs; it is empty when none does.
func (w *World) runs() string {
	for _, task := range w.Prism.Tasks() {
		if task.Completed.IsZero() {
			return fmt.Sprintf("task %s of Prism Central runs", task.Operation)
		}
	}
	return ""
}

// Quiet waits until nothing was asked of Prism Central for a while: what belongs together is over.
func (w *World) Quiet() {
	w.t.Helper()
	const while = 3 * time.Second
	w.Until("nothing to be asked of Prism Central", func() string {
		requests := w.Prism.Requests()
		if len(requests) > 0 && time.Since(requests[len(requests)-1].Time) < while {
			return "there was a request just now"
		}
		return ""
	})
}
