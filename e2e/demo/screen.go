package demo

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Screen prints the demo's progress. It is safe for concurrent use.
type Screen struct {
	mu      sync.Mutex
	out     io.Writer
	started time.Time
}

// NewScreen returns a Screen that prefixes its output with the time since the call of NewScreen.
func NewScreen(out io.Writer) *Screen { return &Screen{out: out, started: time.Now()} }

// Phase prints the heading of a new phase.
func (s *Screen) Phase(format string, args ...any) { s.print("\n==> ", format, args...) }

// Line prints a detail.
func (s *Screen) Line(format string, args ...any) { s.print("    ", format, args...) }

// Done prints a completed step.
func (s *Screen) Done(format string, args ...any) { s.print("OK  ", format, args...) }

// remind prints the conditions for which the demo waits. If the conditions could not be determined, it prints the
// error.
func (s *Screen) remind(awaited []string, err error) {
	if err != nil {
		awaited = append(awaited, err.Error())
	}
	for _, line := range awaited {
		s.Line("still waiting: %s", line)
	}
}

// Write implements io.Writer. It prints blocks of text.
func (s *Screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(text)
}

func (s *Screen) print(prefix, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	elapsed := time.Since(s.started).Round(time.Second)
	lead, mark := "", prefix
	if prefix[0] == '\n' {
		lead, mark = "\n", prefix[1:]
	}
	_, _ = fmt.Fprintf(s.out, "%s%6s  %s%s\n", lead, elapsed, mark, fmt.Sprintf(format, args...))
}
