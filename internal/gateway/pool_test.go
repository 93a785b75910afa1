package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prism/transport"
)

func TestPoolsAreSharedPerUpstreamAndClosed(t *testing.T) {
	pools := newPools(transport.Options{})
	now := time.Unix(1000, 0)
	pools.now = func() time.Time { return now }
	upstream := Upstream{Address: "pc:9440", Username: "u", Password: "p"}
	first, err := pools.acquire(upstream)
	require.NoError(t, err)
	second, err := pools.acquire(upstream)
	require.NoError(t, err)
	assert.Same(t, first, second)
	upstream.Password = "rotated"
	other, err := pools.acquire(upstream)
	require.NoError(t, err)
	assert.NotSame(t, first, other, "nothing is shared with other credentials")

	pools.release(first)
	pools.release(other)
	now = now.Add(poolIdle + time.Second)
	pools.release(second)
	assert.Len(t, pools.byDigest, 1, "the one in use stays, the idle one ends")
	now = now.Add(poolIdle + time.Second)
	_, err = pools.acquire(Upstream{Address: "other:9440", Username: "u", Password: "p"})
	require.NoError(t, err)
	assert.Len(t, pools.byDigest, 1)
}
