package demo

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Screen is where a person watches. It may be written to from several goroutines.
type Screen struct {
	mu      sync.Mutex
	out     io.Writer
	started time.Time
}

// NewScreen returns a screen that counts time from now.
func NewScreen(out io.Writer) *Screen { return &Screen{out: out, started: time.Now()} }

// Phase begins something new.
func (s *Screen) Phase(format string, args ...any) { s.print("\n==> ", format, args...) }

// Line is a detail.
func (s *Screen) Line(format string, args ...any) { s.print("    ", format, args...) }

// Done is something that came true.
func (s *Screen) Done(format string, args ...any) { s.print("OK  ", format, args...) }

// remind says what is still waited for. An error is another thing that a person who waits wants to know.
func (s *Screen) remind(awaited []string, err error) {
	if err != nil {
		awaited = append(awaited, err.Error())
	}
	for _, line := range awaited {
		s.Line("still waiting: %s", line)
	}
}

// Write makes the screen an io.Writer for blocks of text.
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
