package guest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// The guest retries calls to etcd whose response was lost, even though etcd may have executed the call.
func TestEtcdMemberIsAddedAndPromotedOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const host = "127.0.0.1"
	ports, err := freeport.Find(host, 4)
	require.NoError(t, err)
	authority, err := pki.NewAuthority("etcd-ca")
	require.NoError(t, err)
	member := func(name string, clientPort, peerPort int) plane.EtcdConfig {
		return plane.EtcdConfig{
			Binary: toolbox.Path(t, "bin/etcd"), Dir: filepath.Join(t.TempDir(), name), Name: name,
			Host: host, ClientPort: clientPort, PeerPort: peerPort, Authority: authority,
		}
	}
	first, second := member("first", ports[0], ports[1]), member("second", ports[2], ports[3])
	running, err := plane.StartEtcd(first)
	require.NoError(t, err)
	t.Cleanup(running.Kill)
	require.NoError(t, plane.WaitEtcd(ctx, first, running))
	tls, err := plane.EtcdClientTLS(authority)
	require.NoError(t, err)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{first.ClientURL()}, TLS: tls, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })

	id, peers, err := addLearner(ctx, client, second.Name, second.PeerURL())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"first": first.PeerURL(), "second": second.PeerURL()}, peers)
	again, samePeers, err := addLearner(ctx, client, second.Name, second.PeerURL())
	require.NoError(t, err)
	assert.Equal(t, id, again)
	assert.Equal(t, peers, samePeers)

	second.Join, second.Peers = true, peers
	joining, err := plane.StartEtcd(second)
	require.NoError(t, err)
	t.Cleanup(joining.Kill)
	require.NoError(t, promote(ctx, client, id, joining))
	require.NoError(t, promote(ctx, client, id, joining))
	require.NoError(t, plane.WaitEtcd(ctx, second, joining))
}
