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

// Options configure an API server.
type Options struct {
	// CRDs installs the CRDs of this project and of Cluster API.
	CRDs bool
	// Webhooks installs the webhook configurations of this project. WebhookInstallOptions of the environment contains the address
	// and the certificate of the webhook server.
	Webhooks bool
	// Flags are additional flags of kube-apiserver, without dashes.
	Flags map[string]string
}

// Start starts an API server. The Config of the environment belongs to an administrator and has no rate limit. The caller must
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

// For starts an API server that stops at the end of the test.
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

// Main is the TestMain of a package whose tests share an API server. It exits with the code that run returns, or with 1 after an
// error.
func Main(options Options, run func(*envtest.Environment) (int, error)) { Exit(Run(options, run)) }

// Run calls run with an API server and stops the API server afterwards.
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

// Exit ends the process with code, or with 1 after printing err.
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
