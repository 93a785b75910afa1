// Package controllertest is the world of the controllers' tests: a real API server with the kinds of this project and of
// Cluster API, a Prism Central that speaks the few calls the controllers make, and a Terraform that makes virtual machines
// there.
package controllertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/toolbox"
)

// NewScheme returns a scheme with all kinds that the controllers know.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, clusterv1.AddToScheme, infrav1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

// Main is the TestMain of a package whose tests share an API server. It hands over how to reach the server, and a client
// past any cache.
func Main(m *testing.M, use func(config *rest.Config, api client.Client)) {
	ctrl.SetLogger(logr.Discard())
	code, err := runSuite(m, use)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M, use func(*rest.Config, client.Client)) (code int, err error) {
	config, stop, err := StartAPIServer()
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	scheme, err := NewScheme()
	if err != nil {
		return 1, err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return 1, fmt.Errorf("making the client: %w", err)
	}
	use(config, api)
	return m.Run(), nil
}

// startTimeout is generous: a busy machine starts an API server slowly.
const startTimeout = 2 * time.Minute

// StartAPIServer starts an API server. Call stop.
func StartAPIServer() (config *rest.Config, stop func() error, err error) {
	tools := filepath.Join(toolbox.Dir(), "bin")
	for _, tool := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(tools, tool)); err != nil {
			return nil, nil, fmt.Errorf("finding tool %s: it is not built yet, run `make tools` first: %w", tool, err)
		}
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/cluster-api").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("looking for the CRDs of Cluster API: %w", err)
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: tools,
		CRDDirectoryPaths: []string{
			filepath.Join(toolbox.Dir(), "..", "config", "crd", "bases"),
			filepath.Join(strings.TrimSpace(string(module)), "core", "config", "crd", "bases"),
		},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
	}
	if config, err = environment.Start(); err != nil {
		return nil, nil, fmt.Errorf("starting the API server: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	return config, environment.Stop, nil
}
