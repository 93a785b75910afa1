// Package controllertest provides the test environment of the controllers' tests. The environment consists of a real
// API server with the CRDs of this project and of Cluster API, a double of Prism Central with the API calls that the
// controllers make, and a double of Terraform that creates VMs in that Prism Central.
package controllertest

import (
	"fmt"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// NewScheme returns a scheme with all kinds that the controllers use.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, clusterv1.AddToScheme, infrav1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

// Main is the TestMain of a package whose tests share an API server. It calls use with the configuration for the API
// server and with a client that has no cache.
func Main(m *testing.M, use func(config *rest.Config, api client.Client)) {
	ctrl.SetLogger(logr.Discard())
	apiserver.Main(apiserver.Options{CRDs: true}, func(environment *envtest.Environment) (int, error) {
		scheme, err := NewScheme()
		if err != nil {
			return 1, err
		}
		api, err := client.New(environment.Config, client.Options{Scheme: scheme})
		if err != nil {
			return 1, fmt.Errorf("making the client: %w", err)
		}
		use(environment.Config, api)
		return m.Run(), nil
	})
}
