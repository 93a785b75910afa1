// Package prismtest starts a simulated Prism Central for tests of the cloud controller manager. It also creates the
// product's client for that Prism Central.
package prismtest

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Password is the default password of a Prism Central. The options can specify another password.
const Password = "Pass/Word-not-to-be-seen"

// Start starts a Prism Central with an inventory in YAML. The server runs until the test ends. If limits contains no
// rate, Start sets a rate that does not delay tests.
func Start(t testing.TB, inventory string, options prismsim.Options, limits nutanix.Limits) (*prismsim.Server, *nutanix.Client) {
	t.Helper()
	var err error
	options.Inventory, err = prismsim.ParseInventory([]byte(inventory))
	require.NoError(t, err)
	if options.Password == "" {
		options.Password = Password
	}
	server, err := prismsim.New(options)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	require.NoError(t, server.Start(context.Background()))
	endpoint := endpointOf(t, server, options.Password)
	if limits.RequestsPerSecond == 0 {
		limits.RequestsPerSecond, limits.Burst = 10000, 10000
	}
	return server, nutanix.New(nutanix.Options{
		Endpoint: func(context.Context) (nutanix.Endpoint, error) { return endpoint, nil },
		Limits:   func() nutanix.Limits { return limits },
	})
}

func endpointOf(t testing.TB, server *prismsim.Server, password string) nutanix.Endpoint {
	t.Helper()
	host, text, err := net.SplitHostPort(server.Address())
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return nutanix.Endpoint{Address: host, Port: port, TrustBundle: server.CABundle(), Username: server.Username(), Password: password}
}
