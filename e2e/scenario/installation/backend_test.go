package installation

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// backend is a server for Terraform's http backend. It stores one state per URL path.
type backend struct {
	*httptest.Server

	mu     sync.Mutex
	states map[string][]byte
	// locks contains the lock info that Terraform sent for each locked state, by URL path.
	locks map[string][]byte
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{states: map[string][]byte{}, locks: map[string][]byte{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

// spec returns the configuration that makes a cluster store its states in b.
func (b *backend) spec() *infrav1.TerraformSpec {
	address := b.URL + "/{suffix}"
	return &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "http", Config: map[string]string{
		"address": address, "lock_address": address, "unlock_address": address}}}
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "reading the body: "+err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	path, held := r.URL.Path, b.locks[r.URL.Path]
	switch {
	case r.Method == http.MethodGet && b.states[path] == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		_, _ = w.Write(b.states[path])
	case r.Method == "LOCK" && held == nil:
		b.locks[path] = body
	case r.Method == "UNLOCK" && lockID(held) == lockID(body):
		delete(b.locks, path)
	case r.Method == http.MethodPost && lockID(held) == r.URL.Query().Get("ID"):
		b.states[path] = body
	case r.Method == http.MethodDelete:
		delete(b.states, path)
	default: // the state is locked by another client
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(held)
	}
}

func lockID(lock []byte) string {
	var info struct{ ID string }
	_ = json.Unmarshal(lock, &info)
	return info.ID
}

// resources returns the number of managed resources in each state, and requires that no state is locked.
func (b *backend) resources(t *testing.T) map[string]int {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(t, b.locks)
	counts := map[string]int{}
	for path, content := range b.states {
		var state struct{ Resources []struct{ Mode string } }
		require.NoError(t, json.Unmarshal(content, &state))
		for _, resource := range state.Resources {
			if resource.Mode == "managed" {
				counts[path]++
			}
		}
	}
	return counts
}
