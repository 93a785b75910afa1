package prismsim_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/internal/toolbox"
)

var update = flag.Bool("update", false, "write the recorded requests and plans of the provider in the mirror")

// transcript contains the requests and the plan of one Terraform run. IDs that differ between runs are placeholders such
// as {vm}.
type transcript struct {
	Requests []exchange `json:"requests"`
	Plan     []any      `json:"plan"` // resource_changes of `terraform show -json`
}

// exchange is a request with the status of its response. Consecutive polls of one task are one exchange.
type exchange struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	Status int    `json:"status"`
	// IfMatch and RequestID report whether the request has these headers.
	IfMatch   bool `json:"ifMatch,omitempty"`
	RequestID bool `json:"requestID,omitempty"`
	Body      any  `json:"body,omitempty"`
}

// recorder turns the requests of a Terraform workspace with one VM into transcripts.
type recorder struct {
	t      *testing.T
	s      *prismsim.Server
	dir    string
	writes bool
	names  map[string]string // placeholder by ID
	first  int               // number of requests before the current step
	plan   []any
}

// newRecorder returns a recorder for a provider. The stand-in is compared with the files of the provider and never writes them.
func newRecorder(t *testing.T, s *prismsim.Server, provider toolbox.Provider, directories ...string) *recorder {
	t.Helper()
	s.RecordBodies(true)
	dir := filepath.Join(append([]string{"testdata", "provider-" + provider.Version}, directories...)...)
	return &recorder{t: t, s: s, dir: dir, writes: *update && !provider.StandIn, names: inventoryNames(t, s)}
}

// inventoryNames returns the placeholders of the inventory entities that the recorded configuration refers to.
func inventoryNames(t *testing.T, s *prismsim.Server) map[string]string {
	t.Helper()
	second, err := s.CategoryID("Environment", "Testing")
	require.NoError(t, err)
	return map[string]string{
		named(t, s, "cluster", "nutanix-cluster-1"): "{cluster}", named(t, s, "project", "platform"): "{project}",
		named(t, s, "image", "ubuntu-22.04-kube-v1.28.0"): "{image}", named(t, s, "storage_container", "fast"): "{container}",
		named(t, s, "subnet", "vm-network"): "{subnet}", named(t, s, "subnet", "storage-network"): "{second-subnet}", second: "{second-category}",
		inventory.DeriveUUID("storage_container", "nutanix-cluster-1/default"): "{default-container}",
	}
}

// fill replaces the placeholders of the inventory by IDs.
func (r *recorder) fill(text string) string { return fill(text, r.names) }

func fill(text string, names map[string]string) string {
	for id, name := range names {
		text = strings.ReplaceAll(text, name, id)
	}
	return text
}

func (r *recorder) begin() { r.first = len(r.s.Requests()) }

// planned adds a plan in JSON.
func (r *recorder) planned(shown string) {
	var plan struct {
		Changes []map[string]any `json:"resource_changes"`
	}
	require.NoError(r.t, json.Unmarshal([]byte(shown), &plan))
	r.plan = nil
	for _, change := range plan.Changes {
		r.plan = append(r.plan, map[string]any{"address": change["address"], "change": change["change"]})
	}
}

// compare compares the requests since begin and the plan with the recorded ones.
func (r *recorder) compare(step string) {
	r.t.Helper()
	r.learn()
	r.compareWith(step, r.normalise(encoded(r.t, transcript{Requests: r.exchanges(), Plan: r.plan})))
}

// exchanges returns the requests since begin. The number of OPTIONS requests and of polls depends on timing.
func (r *recorder) exchanges() []exchange {
	out := []exchange{}
	for _, request := range r.s.Requests()[r.first:] {
		if request.Method == http.MethodOptions {
			continue
		}
		next := exchange{
			Method: request.Method, Path: request.Path, Query: request.Query, Status: request.Status,
			IfMatch: request.IfMatch != "", RequestID: request.RequestID != "",
		}
		if len(request.Body) > 0 {
			require.NoError(r.t, json.Unmarshal(request.Body, &next.Body))
		}
		if n := len(out); n > 0 && strings.Contains(next.Path, "/tasks/") && out[n-1].Path == next.Path {
			continue
		}
		out = append(out, next)
	}
	return out
}

// encoded returns a value as indented JSON.
func encoded(t *testing.T, value any) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	require.NoError(t, encoder.Encode(value))
	return text.String()
}

// compareWith compares text with a recorded file, or writes the file if the flag -update is set.
func (r *recorder) compareWith(name, have string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name+".json")
	if r.writes {
		require.NoError(r.t, os.MkdirAll(r.dir, 0o750))
		require.NoError(r.t, os.WriteFile(path, []byte(have), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(r.t, err, "nothing is recorded: run the test with -update")
	assert.Equal(r.t, string(want), have, name)
}

// learn gives placeholders to the VM, its devices and the category.
func (r *recorder) learn() {
	for _, vm := range r.s.VMs() {
		r.names[vm.UUID] = "{vm}"
		for _, d := range vm.Disks {
			r.add(d.UUID, "disk")
		}
		for _, n := range vm.NICs {
			r.add(n.UUID, "nic")
		}
	}
	for _, policy := range r.s.AntiAffinityPolicies() {
		r.names[policy.UUID] = "{policy}"
	}
	if id, err := r.s.CategoryID("KubernetesClusterName", "c1"); err == nil {
		r.names[id] = "{category}"
	}
}

// add gives a device the next placeholder of its kind, for example {disk-2}.
func (r *recorder) add(id, kind string) {
	if r.names[id] != "" {
		return
	}
	count := 0
	for _, name := range r.names {
		if strings.HasPrefix(name, "{"+kind+"-") {
			count++
		}
	}
	r.names[id] = fmt.Sprintf("{%s-%d}", kind, count)
}

var (
	taskPattern = regexp.MustCompile(`ZXJnb24=:[0-9a-f-]{36}`)
	uuidPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*( \+0000 UTC|Z|\+00:00)?`)
	hostPattern = regexp.MustCompile(`127\.\d+\.\d+\.\d+:9440`)
)

// normalise replaces everything that differs between two runs.
func (r *recorder) normalise(text string) string {
	for id, name := range r.names {
		text = strings.ReplaceAll(text, id, name)
	}
	seen := map[string]string{}
	text = numbered(taskPattern, text, "task", seen)
	text = numbered(uuidPattern, text, "id", seen)
	text = timePattern.ReplaceAllString(text, "{time}")
	return hostPattern.ReplaceAllString(text, "{address}")
}

func numbered(pattern *regexp.Regexp, text, kind string, seen map[string]string) string {
	count := 0
	return pattern.ReplaceAllStringFunc(text, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("{%s-%d}", kind, count)
			count++
		}
		return seen[id]
	})
}
