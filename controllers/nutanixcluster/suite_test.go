package nutanixcluster

import (
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
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
	ctrl.SetLogger(logr.Discard())
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	started, stop, err := controllertest.StartAPIServer()
	if err != nil {
		return 1, err
	}
	config = started
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	scheme, err := controllertest.NewScheme()
	if err != nil {
		return 1, err
	}
	if api, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 1, fmt.Errorf("making the client: %w", err)
	}
	return m.Run(), nil
}
