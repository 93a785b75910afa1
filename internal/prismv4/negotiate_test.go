package prismv4_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prismv4"
)

// TestVersions checks which version is used with which Prism Central, and that it is negotiated once.
func TestVersions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		info http.HandlerFunc
		want string
	}{
		"pc.2024.3":                {answer(200, `{"data":"v4.0"}`), "v4.0"},
		"v4.1":                     {answer(200, `{"data":"v4.1"}`), "v4.1"},
		"v4.2":                     {answer(200, `{"data":"v4.2"}`), "v4.2"},
		"newer than the models":    {answer(200, `{"data":"v4.3"}`), "v4.2"},
		"much newer":               {answer(200, `{"data":"v4.10"}`), "v4.2"},
		"newer, not released":      {answer(200, `{"data":"v4.3.b1"}`), "v4.2"},
		"a beta":                   {answer(200, `{"data":"v4.0.b1"}`), "v4.0.b1"},
		"another major version":    {answer(200, `{"data":"v5.0"}`), "v4.2"},
		"something else":           {answer(200, `{"data":"../../admin"}`), "v4.2"},
		"no text":                  {answer(200, `{"data":{"version":4}}`), "v4.2"},
		"no JSON":                  {answer(200, `v4.0`), "v4.2"},
		"a proxy's page":           {page(200), "v4.2"},
		"an error":                 {answer(500, `{"data":"v4.0"}`), "v4.2"},
		"a connection that breaks": {lost, "v4.2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On("OPTIONS", test.info)
			c.On(vmPath, answer(200, aVM))
			client := c.client(t, nil)
			for range 3 {
				_, err := client.VM(t.Context(), vmUUID)
				require.NoError(t, err)
			}
			for _, one := range c.Requests() {
				assert.Equal(t, "/api/vmm/"+test.want+"/ahv/config/vms/"+vmUUID, one.Path)
			}
			assert.Equal(t, 1, c.Negotiated())
		})
	}
}

func TestVersionsOfNamespacesDiffer(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmsPath, answer(200, items(0)))
	c.On("GET clustermgmt/config/hosts/a", answer(200, `{"data":{"extId":"a"}}`))
	c.On("OPTIONS", answer(200, `{"data":"v4.0"}`), answer(200, `{"data":"v4.1"}`))
	client := c.client(t, nil)
	_, err := client.ListVMs(t.Context(), filterNone)
	require.NoError(t, err)
	_, _, err = prismv4.Get(t.Context(), client.Client, prismv4.Object[vm]{Namespace: prismv4.ClusterMgmt, Path: "/config/hosts/a", Key: (*vm).uuid, UUID: "a"})
	require.NoError(t, err)
	assert.Equal(t, "/api/vmm/v4.0/ahv/config/vms", c.Requests()[0].Path)
	assert.Equal(t, "/api/clustermgmt/v4.1/config/hosts/a", c.Requests()[1].Path)
}

func TestConcurrentRequestsNegotiateOnce(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmPath, answer(200, aVM))
	client := c.client(t, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := client.VM(t.Context(), vmUUID)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.Equal(t, 1, c.Negotiated())
}
