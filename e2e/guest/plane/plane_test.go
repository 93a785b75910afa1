package plane_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

func TestControlPlaneStartsAndStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const host = "127.0.0.1"
	ports, err := freeport.Find(host, 3)
	require.NoError(t, err)
	etcdCA, err := pki.NewAuthority("etcd-ca")
	require.NoError(t, err)
	ca, err := pki.NewAuthority("kubernetes")
	require.NoError(t, err)
	private, public, err := pki.NewSigningKey()
	require.NoError(t, err)

	etcd := plane.EtcdConfig{
		Binary: toolbox.Path(t, "bin/etcd"), Dir: filepath.Join(t.TempDir(), "etcd"), Name: "one",
		Host: host, ClientPort: ports[0], PeerPort: ports[1], Authority: etcdCA,
	}
	member, err := plane.StartEtcd(etcd)
	require.NoError(t, err)
	t.Cleanup(member.Kill)
	require.NoError(t, plane.WaitEtcd(ctx, etcd, member))

	server := plane.APIServerConfig{
		Binary: toolbox.Path(t, "bin/kube-apiserver"), Dir: filepath.Join(t.TempDir(), "apiserver"), Name: "one",
		Host: host, Port: ports[2], Authority: ca, EtcdURL: etcd.ClientURL(), EtcdAuthority: etcdCA,
		ServiceAccountKey: private, ServiceAccountPublicKey: public, ServiceCIDR: "10.96.0.0/16",
	}
	started := time.Now()
	apiserver, err := plane.StartAPIServer(server)
	require.NoError(t, err)
	t.Cleanup(apiserver.Kill)
	require.NoError(t, plane.WaitAPIServer(ctx, server, apiserver))
	t.Logf("kube-apiserver was ready after %s", time.Since(started).Round(time.Millisecond))

	config, err := plane.ClientConfig(server.URL(), ca, plane.Admin())
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	version, err := client.Discovery().ServerVersion()
	require.NoError(t, err)
	require.Equal(t, "v1.36.3", version.GitVersion)
	_, err = client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	require.NoError(t, err)

	require.Len(t, process.Running(), 2)
	require.NoError(t, apiserver.Stop(2*time.Minute))
	require.NoError(t, member.Stop(2*time.Minute))
	require.Empty(t, process.Running())
}

func TestExitedProcessIsReportedWithItsLog(t *testing.T) {
	ca, err := pki.NewAuthority("etcd-ca")
	require.NoError(t, err)
	config := plane.EtcdConfig{
		Binary: toolbox.Path(t, "bin/etcd"), Dir: t.TempDir(), Name: "one", Host: "192.0.2.1", ClientPort: 1, PeerPort: 2, Authority: ca,
	}
	member, err := plane.StartEtcd(config)
	require.NoError(t, err)
	err = plane.WaitEtcd(t.Context(), config, member)
	require.ErrorContains(t, err, "etcd one")
	require.ErrorContains(t, err, "etcd.log")
}
