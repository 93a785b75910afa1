package env

import (
	"fmt"
	"os"
	"sync"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
)

// logVerbosity is the default log verbosity of Cluster API's managers.
const logVerbosity = 2

// output receives the logs of all Kubernetes libraries in this process. The libraries always use the first logger that
// was set, and their goroutines may outlive an environment. Therefore, every environment uses the same logger and only
// the file changes.
var output = &switchedFile{}

var setLoggers = sync.OnceFunc(func() {
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(output), textlogger.Verbosity(logVerbosity)))
	klog.SetLogger(logger)
	ctrl.SetLogger(logger)
})

// switchedFile writes to its current file. While it has no current file, it discards all output.
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

// open makes the file with the given path the current file.
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
