package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
)

// reloads counts changes of the file by what came of them.
var reloads = metrics.NewCounterVec(&metrics.CounterOpts{
	Name: "capnt_ccm_config_reload_total",
	Help: "Changes of the configuration file that were taken over (success), or refused so that the former configuration stays in force (error).",
}, []string{"result"})

var registerReloads = sync.OnceFunc(func() {
	legacyregistry.MustRegister(reloads)
	reloads.WithLabelValues("success").Add(0)
	reloads.WithLabelValues("error").Add(0)
})

// Store holds the configuration in force. A file that changes is read again; one that is wrong changes nothing.
type Store struct {
	path    string
	current atomic.Pointer[Config]

	mu       sync.Mutex // one reload at a time
	seen     [sha256.Size]byte
	onChange []func(before, after Config)
	onError  []func(error)
}

// Open reads the file. It is not watched before Run.
func Open(path string) (*Store, error) {
	registerReloads()
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	config, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	s := Fixed(config)
	s.path, s.seen = path, sha256.Sum256(content)
	return s, nil
}

// Fixed holds a configuration that never changes.
func Fixed(config Config) *Store {
	s := &Store{}
	s.current.Store(&config)
	return s
}

// Current gives the configuration in force. Whoever wants a change to take effect asks every time. What it points to must
// not be changed.
func (s *Store) Current() Config { return *s.current.Load() }

// OnChange calls f after every change, and failed with the reason for every change that is refused. It must be called before
// Run.
func (s *Store) OnChange(f func(before, after Config), failed func(error)) {
	s.onChange, s.onError = append(s.onChange, f), append(s.onError, failed)
}

// Run reads the file again, at once and in every period, until the context ends. It compares contents, not times and links:
// the file of a ConfigMap volume changes by swapping a link above it.
func (s *Store) Run(ctx context.Context, period time.Duration) {
	ticks := time.NewTicker(period)
	defer ticks.Stop()
	for {
		s.Reload(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// Reload takes over the file if its content is another one than when it was last looked at.
func (s *Store) Reload(ctx context.Context) {
	if s.path == "" {
		return
	}
	log := klog.FromContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	content, err := os.ReadFile(s.path)
	sum := sha256.Sum256(content) // of nothing when it cannot be read: that is said once, too
	if sum == s.seen {
		return
	}
	s.seen = sum
	var config Config
	if err == nil {
		config, err = Parse(content)
	}
	if err != nil {
		reloads.WithLabelValues("error").Inc()
		log.Error(err, "Refused the changed configuration file: the former configuration stays in force", "path", s.path)
		for _, f := range s.onError {
			f(err)
		}
		return
	}
	before := *s.current.Swap(&config)
	reloads.WithLabelValues("success").Inc()
	log.Info("Took over the changed configuration file", "path", s.path)
	for _, f := range s.onChange {
		f(before, config)
	}
}
