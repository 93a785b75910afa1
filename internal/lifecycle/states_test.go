package lifecycle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// storing returns a fixture whose states are stored by a state.Store with a fake client.
func storing(t *testing.T) (*fixture, client.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, infrav1.AddToScheme(scheme))
	api := fake.NewClientBuilder().WithScheme(scheme).Build()
	f := newFixture(t)
	f.pipeline.States = &state.Store{Client: api, Reader: api, Term: "term"}
	f.target.Backend = Backend{Suffix: "m-1-x-machine", Backend: renderer.Backend{Type: kubernetesBackend}}
	return f, api
}

// requester returns a function that sends the same requests as Terraform's http backend in a run with these options.
func requester(t *testing.T, options terraform.RunOptions) func(method, query, body string) (int, string) {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(options.CABundle))
	http1 := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(http1.CloseIdleConnections)
	return func(method, query, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, options.Env["TF_HTTP_ADDRESS"]+query, strings.NewReader(body))
		require.NoError(t, err)
		req.SetBasicAuth(options.Env["TF_HTTP_USERNAME"], options.Env["TF_HTTP_PASSWORD"])
		resp, err := http1.Do(req)
		require.NoError(t, err)
		defer func() { assert.NoError(t, resp.Body.Close()) }()
		content, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(content)
	}
}

func TestRunReachesItsStateThroughTheGateway(t *testing.T) {
	f, api := storing(t)
	workspace, err := f.pipeline.open(t.Context(), f.target)
	require.NoError(t, err)
	options := f.options
	assert.Equal(t, httpBackend, string(options.Files[backendFile]))
	assert.Equal(t, options.Env["NUTANIX_PASSWORD"], options.Env["TF_HTTP_PASSWORD"], "one token per run")
	request := requester(t, options)

	status, _ := request(http.MethodGet, "", "")
	assert.Equal(t, http.StatusNoContent, status)
	status, _ = request("LOCK", "", `{"ID": "lock-1", "Operation": "OperationTypeApply", "Who": "a@b"}`)
	assert.Equal(t, http.StatusOK, status)
	content := `{"version": 4, "serial": 1, "lineage": "line", "outputs": {"vm_uuid": {"value": "u"}}, "resources": [{"module": "module.machine", ` +
		`"mode": "managed", "type": "nutanix_virtual_machine", "name": "this", "instances": [{"status": "tainted", "attributes": {"id": "u"}}]}]}`
	status, _ = request(http.MethodPost, "?ID=other", content)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	status, _ = request(http.MethodPost, "?ID=lock-1", content)
	assert.Equal(t, http.StatusOK, status)
	status, _ = request("UNLOCK", "", `{"ID": "lock-1"}`)
	assert.Equal(t, http.StatusOK, status)
	status, _ = request("DELETE", "", "")
	assert.Equal(t, http.StatusMethodNotAllowed, status)
	status, stored := request(http.MethodGet, "", "")
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, content, stored)

	written, err := workspace.State(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []terraform.Resource{{Address: machineAddress, Type: "nutanix_virtual_machine", ID: "u", Tainted: true}}, written.Resources)
	outputs, err := workspace.Outputs(t.Context())
	require.NoError(t, err)
	assert.JSONEq(t, `"u"`, string(outputs["vm_uuid"]))
	require.NoError(t, workspace.Untaint(t.Context(), machineAddress))
	require.NoError(t, workspace.Forget(t.Context(), machineAddress))
	written, err = workspace.State(t.Context())
	require.NoError(t, err)
	assert.True(t, written.Empty())
	assert.Equal(t, int64(3), written.Serial)
	assert.NotContains(t, f.String(), "state pull", "a process was started")

	status, _ = request("LOCK", "", `{"ID": "lock-2"}`)
	assert.Equal(t, http.StatusOK, status)
	workspace.close()
	lease := &coordinationv1.Lease{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "lock-tfstate-default-m-1-x-machine"}, lease))
	assert.Empty(t, ptr.Deref(lease.Spec.HolderIdentity, ""), "the lock has outlived its run")
	status, _ = request(http.MethodGet, "", "")
	assert.Equal(t, http.StatusUnauthorized, status)
}

// TestOptionsOfRunsDependOnBackendAndProvider proves that runs whose states the manager stores share the result of init, that init of other
// backends is never skipped, and that the memory of Terraform and the provider is limited.
func TestOptionsOfRunsDependOnBackendAndProvider(t *testing.T) {
	f, _ := storing(t)
	open := func() terraform.RunOptions {
		workspace, err := f.pipeline.open(t.Context(), f.target)
		require.NoError(t, err)
		workspace.close()
		return f.options
	}
	stored := open()
	assert.Equal(t, renderer.InitKey(stored.Files), stored.InitKey)
	assert.Equal(t, 32, stored.MemoryLimit)

	f.target.Backend, f.target.ProviderVersion = Backend{Suffix: "m-1-x-machine", Backend: renderer.Backend{Type: "http"}}, "2.4.2"
	other := open()
	assert.Empty(t, other.InitKey)
	assert.Equal(t, 48, other.MemoryLimit)
}

func TestLockedStateStartsNoProcess(t *testing.T) {
	f, api := storing(t)
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "lock-tfstate-default-m-1-x-machine", Annotations: map[string]string{
			"app.terraform.io/lock-info": `{"ID": "lock-1", "Operation": "OperationTypeApply", "Who": "jane@laptop", "Created": "2026-08-01T11:00:00Z"}`}},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("lock-1")},
	}
	require.NoError(t, api.Create(t.Context(), lease))
	_, err := f.pipeline.open(t.Context(), f.target)
	require.True(t, lockHeld(err))
	require.ErrorContains(t, err, "locked by jane@laptop since 2026-08-01T11:00:00Z for OperationTypeApply (lock id lock-1)")
	assert.NotContains(t, f.String(), "open")

	f.pipeline.States = &state.Store{Client: api, Reader: api, Term: "term", Dead: func(context.Context, state.Lock) (bool, error) { return true, nil }}
	workspace, err := f.pipeline.open(t.Context(), f.target)
	require.NoError(t, err)
	workspace.close()
	events := f.pipeline.report(f.target.Key())
	require.Len(t, events, 1)
	assert.Equal(t, infrav1.StateLockBrokenReason, events[0].Reason)
	assert.Contains(t, events[0].Message, "jane@laptop")

	require.NoError(t, f.pipeline.RemoveState(t.Context(), f.target))
	secrets := &corev1.SecretList{}
	require.NoError(t, api.List(t.Context(), secrets))
	assert.Empty(t, secrets.Items)
}

// A state that an apply could not write survives a restart of the manager, because the next process has the same directory.
func TestUnwrittenStateIsStoredByTheNextRun(t *testing.T) {
	for name, restarts := range map[string]bool{"of this process": false, "of the next process": true} {
		t.Run(name, func(t *testing.T) {
			f, _ := storing(t)
			f.pipeline.UnwrittenDir = t.TempDir()
			f.pipeline.Init()
			files := func() []string {
				found, err := filepath.Glob(filepath.Join(f.pipeline.UnwrittenDir, "*"))
				require.NoError(t, err)
				return found
			}
			idle := func() bool {
				target := f.target
				target.Workspace, target.Remembered.Current, target.CheckInterval = renderer.Workspace{}, true, 0
				return f.pipeline.Idle(target)
			}
			failWith := func(state string) {
				f.pipeline.applyFailed(t.Context(), f.target, nil, nil, &terraform.Error{Verb: "apply", ErroredState: []byte(state)})
				if restarts {
					f.pipeline.Init()
				}
			}
			unwritten := func(serial string) {
				failWith(`{"version": 4, "serial": ` + serial + `, "lineage": "line", "resources": [{"mode": "managed", "type": "a", "name": "b", "instances": [{}]}]}`)
				require.Len(t, files(), 1)
				assert.False(t, idle(), "the state is not written before the next check for drift")
				matches, err := filepath.Match(UnwrittenPattern, filepath.Base(files()[0]))
				require.NoError(t, err)
				assert.True(t, matches)
				info, err := os.Stat(files()[0])
				require.NoError(t, err)
				assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the state contains secrets")
			}
			write := func() *terraform.State {
				workspace, err := f.pipeline.open(t.Context(), f.target)
				require.NoError(t, err)
				defer workspace.close()
				assert.Equal(t, f.target.unwrittenName(), f.options.StateName, "a state in the directory of a killed run is not found")
				require.NoError(t, f.pipeline.writeState(t.Context(), f.target, workspace))
				assert.Empty(t, files())
				assert.True(t, idle())
				stored, err := workspace.State(t.Context())
				require.NoError(t, err)
				return stored
			}
			unwritten("5")
			assert.Equal(t, int64(5), write().Serial)
			unwritten("4")
			assert.Equal(t, int64(5), write().Serial, "an older state has replaced a newer one")
			assert.Equal(t, infrav1.StateDiscardedReason, f.pipeline.report(f.target.Key())[0].Reason)

			failWith(`{"version": 4, "ser`)
			assert.Empty(t, files(), "Terraform was killed while it wrote the state")
			write()
			unwritten("6")
			require.NoError(t, f.pipeline.RemoveState(t.Context(), f.target))
			assert.Empty(t, files())
		})
	}
}
