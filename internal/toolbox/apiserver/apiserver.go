// Package apiserver runs the pinned etcd and kube-apiserver for the tests of a package.
package apiserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/capnt/capnt/internal/toolbox"
)

// Options configures an API server.
type Options struct {
	// CRDs installs the CRDs of this project and of Cluster API.
	CRDs bool
	// Webhooks installs the webhook configurations of this project. A webhook server finds its address and certificate in
	// WebhookInstallOptions of the environment.
	Webhooks bool
	// Flags maps the names of additional kube-apiserver flags, without dashes, to their values.
	Flags map[string]string
}

// Start starts an API server. The Config of the returned environment has administrator permissions and no rate limit. The caller must
// call Stop.
func Start(options Options) (*envtest.Environment, error) {
	environment, err := options.environment()
	if err != nil {
		return nil, err
	}
	if err := start(environment); err != nil {
		return nil, fmt.Errorf("starting the API server: %w", errors.Join(err, environment.Stop()))
	}
	return environment, nil
}

// For starts an API server and stops it at the end of the test.
func For(t testing.TB, options Options) *envtest.Environment {
	t.Helper()
	environment, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	return environment
}

// Main implements TestMain for a package whose tests share an API server. It exits with the code that run returns, or with 1 if an error
// occurs.
func Main(options Options, run func(*envtest.Environment) (int, error)) { Exit(Run(options, run)) }

// Run starts an API server, calls run and stops the API server.
func Run(options Options, run func(*envtest.Environment) (int, error)) (code int, err error) {
	environment, err := Start(options)
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := environment.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("stopping the API server: %w", stopErr)
		}
	}()
	return run(environment)
}

// Exit ends the process with code. If err is not nil, it prints err and uses the exit code 1.
func Exit(code int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func (o Options) environment() (environment *envtest.Environment, err error) {
	environment = &envtest.Environment{}
	server := environment.ControlPlane.GetAPIServer()
	if server.Path, err = toolbox.Find("bin/kube-apiserver"); err != nil {
		return nil, err
	}
	environment.ControlPlane.Etcd = &envtest.Etcd{}
	if environment.ControlPlane.Etcd.Path, err = toolbox.Find("bin/etcd"); err != nil {
		return nil, err
	}
	config := filepath.Join(filepath.Dir(toolbox.Dir()), "config")
	if o.CRDs {
		module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/cluster-api").Output()
		if err != nil {
			return nil, fmt.Errorf("finding the CRDs of Cluster API: %w", err)
		}
		core := filepath.Join(strings.TrimSpace(string(module)), "core")
		environment.CRDInstallOptions = envtest.CRDInstallOptions{
			Paths:              []string{filepath.Join(config, "crd", "bases"), filepath.Join(core, "config", "crd", "bases")},
			ErrorIfPathMissing: true,
		}
	}
	if o.Webhooks {
		environment.WebhookInstallOptions.Paths = []string{filepath.Join(config, "webhook", "manifests.yaml")}
	}
	for name, value := range o.Flags {
		server.Configure().Set(name, value)
	}
	return environment, listen(environment)
}
