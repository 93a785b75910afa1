package nutanixmachine

import (
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/controllers/controllertest"
)

var (
	// config is the client configuration for the API server that all tests of the package share.
	config *rest.Config
	// api is a client for the shared API server. It has no cache.
	api client.Client
)

func TestMain(m *testing.M) {
	controllertest.Main(m, func(c *rest.Config, a client.Client) { config, api = c, a })
}
