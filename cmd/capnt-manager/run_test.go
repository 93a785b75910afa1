package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// Timeout and interval for polling the manager.
const (
	deadline = 3 * time.Minute
	tick     = 50 * time.Millisecond
)

// startAPIServer starts an API server with the CRDs and webhooks of a management cluster.
func startAPIServer(t *testing.T) *envtest.Environment {
	t.Helper()
	environment := apiserver.For(t, apiserver.Options{CRDs: true, Webhooks: true})
	user, err := environment.AddUser(envtest.User{Name: "manager", Groups: []string{"system:masters"}}, nil)
	require.NoError(t, err)
	kubeconfig, err := user.KubeConfig()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, kubeconfig, 0o600))
	t.Setenv("KUBECONFIG", path)
	return environment
}

// freePort returns a port that no other process uses.
func freePort(t *testing.T) int {
	t.Helper()
	ports, err := freeport.Find("127.0.0.1", 1)
	require.NoError(t, err)
	return ports[0]
}

// freeGateway returns a loopback address for the gateway on which the gateway's port is free. The port is fixed, because provider 1.9.5
// always uses it.
func freeGateway(t *testing.T) string {
	t.Helper()
	for last := 1; last < 255; last++ {
		if freeport.Claim(fmt.Sprintf("127.39.76.%d:9441", last)) == nil {
			return fmt.Sprintf("127.39.76.%d:%s", last, gatewayPort)
		}
	}
	require.Fail(t, "all addresses for gateways are claimed")
	return ""
}

// ready reports whether the manager with the health probe address health is ready.
func ready(ctx context.Context, health string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+health+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func TestManagerBecomesReadyAndCleansUp(t *testing.T) {
	environment := startAPIServer(t)
	t.Setenv("POD_NAMESPACE", "default")
	health, scratchDir := fmt.Sprintf("127.0.0.1:%d", freePort(t)), shortDir(t)
	options, err := parse(
		// The durations are long, because on a busy machine the manager renews its lease late and stops slowly.
		"--leader-elect", "--leader-elect-lease-duration=10m", "--leader-elect-renew-deadline=5m",
		"--health-addr="+health,
		"--diagnostics-address=127.0.0.1:0", "--insecure-diagnostics",
		fmt.Sprintf("--webhook-port=%d", environment.WebhookInstallOptions.LocalServingPort),
		"--webhook-cert-dir="+environment.WebhookInstallOptions.LocalServingCertDir,
		"--gateway-address="+freeGateway(t),
		"--terraform-path="+toolbox.Path(t, "bin/terraform"),
		"--provider-mirror="+toolbox.Path(t, "mirror"),
		"--scratch-dir="+scratchDir,
		"--shutdown-timeout=3m",
	)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer cancel() // if the manager ends early, the polling below ends, too
		ended <- run(ctx, options)
	}()
	require.Eventually(t, func() bool { return ctx.Err() != nil || ready(ctx, health) }, deadline, tick, "waiting for the manager to become ready")
	if ctx.Err() != nil {
		require.NoError(t, <-ended)
		require.Fail(t, "the manager has ended")
	}

	api, err := client.New(environment.Config, client.Options{Scheme: newScheme()})
	require.NoError(t, err)
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: "default", Name: leaderElectionID}
	require.Eventually(t, func() bool {
		return api.Get(t.Context(), key, lease) == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != ""
	}, deadline, tick, "waiting for the manager to lead")
	kubeconfigs, err := filepath.Glob(filepath.Join(scratchDir, "*", "kubeconfig"))
	require.NoError(t, err)
	assert.Empty(t, kubeconfigs, "Terraform gets no access to the management cluster")

	cancel()
	require.NoError(t, <-ended)
	assert.Empty(t, entries(t, scratchDir), "the scratch directory is left as it was")
	require.NoError(t, api.Get(t.Context(), key, lease))
	assert.Empty(t, *lease.Spec.HolderIdentity, "the next manager does not have to wait for the lease to expire")
}

func TestManagerReportsStartErrors(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte("no kubeconfig"), 0o600))
	t.Setenv("KUBECONFIG", kubeconfig)
	options, err := parse("--scratch-dir=" + shortDir(t))
	require.NoError(t, err)
	require.ErrorContains(t, run(t.Context(), options), "--kubeconfig")
}

// A priority queue can hang during the shutdown. The manager would then keep its Lease until the end of --shutdown-timeout.
func TestManagerUsesNoPriorityQueue(t *testing.T) {
	options, err := parse("--health-addr=127.0.0.1:0", "--diagnostics-address=127.0.0.1:0", "--insecure-diagnostics")
	require.NoError(t, err)
	mgr, err := newManager(startAPIServer(t).Config, options)
	require.NoError(t, err)
	require.NotNil(t, mgr.GetControllerOptions().UsePriorityQueue)
	assert.False(t, *mgr.GetControllerOptions().UsePriorityQueue)
}
