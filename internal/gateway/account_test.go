package gateway

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/prism/transport"
)

// 300 objects with a wrong password do not lock the account, and none of them starts a run. When the password is corrected in Prism
// Central, they recover without a change of the Secret.
func TestWrongPasswordDoesNotLockTheAccount(t *testing.T) {
	inventory, err := prismsim.ParseInventory([]byte("prismElements: [{name: pe}]"))
	require.NoError(t, err)
	server, err := prismsim.New(prismsim.Options{Inventory: inventory, Password: "right"})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	require.NoError(t, server.Start(t.Context()))
	server.ChangeRules(func(rules *prismsim.Rules) { rules.LockoutAfter, rules.LockoutFor = 5, prismsim.Duration(time.Hour) })
	began := time.Now()
	var passed atomic.Int64
	upstreams := transport.NewUpstreams(func() time.Time { return began.Add(time.Duration(passed.Load())) })
	upstream := func(password string) Upstream {
		return Upstream{Address: server.Address(), CABundle: server.CABundle(), Username: "admin", Password: password}
	}
	gateway := start(t, func(options *Options) { options.Upstreams = upstreams })
	clientWith := func(password string) *prism.Client {
		client, err := prism.New(upstream(password), prism.Options{Upstreams: upstreams})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		return client
	}
	refused := func() (count int) {
		for _, request := range server.Requests() {
			if request.Status == http.StatusUnauthorized {
				count++
			}
		}
		return count
	}
	client := clientWith("wrong")
	lookUp := func() {
		name := "image"
		var objects sync.WaitGroup
		for range 300 {
			objects.Go(func() {
				_, first := client.Image(t.Context(), infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name})
				_, second := client.VM(t.Context(), "00000000-0000-4000-8000-000000000001")
				for _, err := range []error{first, second, client.Ping(t.Context())} {
					var failure *prism.AuthenticationError
					if assert.ErrorAs(t, err, &failure) {
						assert.Equal(t, http.StatusUnauthorized, failure.Status)
						assert.False(t, failure.RetryAt.IsZero())
						assert.ErrorContains(t, err, "tried again at")
					}
				}
				_, err := gateway.Open(RunOptions{Upstream: upstream("wrong")})
				assert.Error(t, err)
			})
		}
		objects.Wait()
	}
	lookUp()
	assert.Equal(t, 1, refused())
	passed.Add(int64(time.Minute))
	lookUp()
	assert.Equal(t, 2, refused())
	require.NoError(t, clientWith("right").Ping(t.Context()), "the account is not locked, and a changed Secret is tried at once")

	server.SetPassword("wrong")
	assert.Error(t, client.Ping(t.Context()), "the next login is not due")
	assert.Equal(t, 2, refused())
	passed.Add(int64(5 * time.Minute))
	require.NoError(t, client.Ping(t.Context()))
	_, err = client.VM(t.Context(), "00000000-0000-4000-8000-000000000001")
	var missing *prism.NotFoundError
	require.ErrorAs(t, err, &missing)
}
