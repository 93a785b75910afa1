package env

import (
	"fmt"
	"os"
	"sync"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
)

// logVerbosity is the default of Cluster API's managers.
const logVerbosity = 2

// output receives the logs of all Kubernetes libraries of this process. The libraries keep their first logger, and their
// goroutines may outlive an environment, so the logger stays the same and its file is switched.
var output = &switchedFile{}

var setLoggers = sync.OnceFunc(func() {
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(output), textlogger.Verbosity(logVerbosity)))
	klog.SetLogger(logger)
	ctrl.SetLogger(logger)
})

// switchedFile writes to its current file, or discards what is written when there is none.
type switchedFile struct {
	mu   sync.Mutex
	file *os.File
}

// Write implements io.Writer.
func (s *switchedFile) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return len(p), nil
	}
	return s.file.Write(p)
}

// open makes the file at path the current file.
func (s *switchedFile) open(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of Cluster API: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = file
	return nil
}

func (s *switchedFile) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
