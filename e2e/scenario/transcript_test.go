package scenario

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
)

var (
	began = time.Now()
	lines sync.Mutex
)

// logf writes one line of the transcript.
func logf(t *testing.T, format string, args ...any) {
	t.Helper()
	write(t.Name(), fmt.Sprintf(format, args...))
}

func write(who, what string) {
	lines.Lock()
	defer lines.Unlock()
	fmt.Printf("%7.1fs  %-24.24s  %s\n", time.Since(began).Seconds(), strings.TrimPrefix(who, "Test"), what)
}

// transcript returns a logger that writes messages of the environment to the transcript and drops all others.
func transcript() logr.Logger {
	return funcr.New(func(prefix, args string) {
		if strings.HasPrefix(prefix, "env") {
			write("", args)
		}
	}, funcr.Options{})
}
