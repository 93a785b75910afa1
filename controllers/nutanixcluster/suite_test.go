package nutanixcluster

import (
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/controllers/controllertest"
)

var (
	// config reaches the API server that the tests share.
	config *rest.Config
	// api reads and writes it, past any cache.
	api client.Client
)

func TestMain(m *testing.M) {
	controllertest.Main(m, func(c *rest.Config, a client.Client) { config, api = c, a })
}
