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

// say writes one line of the transcript, in the words of a person who watches.
func say(t *testing.T, format string, args ...any) {
	t.Helper()
	write(t.Name(), fmt.Sprintf(format, args...))
}

func write(who, what string) {
	lines.Lock()
	defer lines.Unlock()
	fmt.Printf("%7.1fs  %-24.24s  %s\n", time.Since(began).Seconds(), strings.TrimPrefix(who, "Test"), what)
}

// transcript is the log of the stack, in the form of the transcript. Only what the environment says of itself is shown.
func transcript() logr.Logger {
	return funcr.New(func(prefix, args string) {
		if strings.HasPrefix(prefix, "env") {
			write("", args)
		}
	}, funcr.Options{})
}
