package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm"
	"github.com/capnt/capnt/internal/toolbox"
)

// How long and how often the tests wait for something to happen.
const (
	deadline = time.Minute
	tick     = 50 * time.Millisecond
)

// asProcess is the environment variable by which the test binary becomes capnt-ccm.
const asProcess = "CAPNT_CCM_TEST_RUN_MAIN"

// serviceAccount is the user that the manifests make.
const serviceAccount = "system:serviceaccount:kube-system:capnt-ccm"

var (
	cluster  *rest.Config  // of an administrator
	api      client.Client // of an administrator
	auditLog string        // path of the log of all requests of the service account
)

func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		main()
		return
	}
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// runSuite runs all tests against one real API server to which the manifests were applied.
func runSuite(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "capnt-ccm-test-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	environment, err := newEnvironment(dir)
	if err != nil {
		return 1, err
	}
	if cluster, err = environment.Start(); err != nil {
		return 1, fmt.Errorf("starting the API server: %w", err)
	}
	defer func() {
		if stopErr := environment.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("stopping the API server: %w", stopErr)
		}
	}()
	cluster.QPS, cluster.Burst = -1, -1
	if api, err = client.New(cluster, client.Options{}); err != nil {
		return 1, err
	}
	objects, err := manifests()
	if err != nil {
		return 1, err
	}
	for _, object := range objects {
		if err := api.Create(context.Background(), object); err != nil {
			return 1, fmt.Errorf("applying config/ccm: %w", err)
		}
	}
	ccm.Register()
	return m.Run(), nil
}

func newEnvironment(dir string) (*envtest.Environment, error) {
	tools := filepath.Join(toolbox.Dir(), "bin")
	for _, tool := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(tools, tool)); err != nil {
			return nil, fmt.Errorf("finding tool %s: it is not built yet, run `make tools` first: %w", tool, err)
		}
	}
	policy, err := yaml.Marshal(map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": []string{"RequestReceived", "ResponseStarted"},
		"rules": []any{map[string]any{"level": "Metadata", "users": []string{serviceAccount}}, map[string]any{"level": "None"}},
	})
	if err != nil {
		return nil, err
	}
	auditLog = filepath.Join(dir, "audit.log")
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), policy, 0o600); err != nil {
		return nil, err
	}
	environment := &envtest.Environment{BinaryAssetsDirectory: tools, ControlPlaneStartTimeout: 2 * time.Minute}
	environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", filepath.Join(dir, "policy.yaml")).Set("audit-log-path", auditLog)
	return environment, nil
}
