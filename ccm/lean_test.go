package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

func TestInformersKeepOnlyWhatIsRead(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "x", Namespace: "y", Labels: map[string]string{"a": "b"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}}
	node := &corev1.Node{ObjectMeta: meta, Status: corev1.NodeStatus{
		Images: []corev1.ContainerImage{{Names: []string{"pause"}}}, NodeInfo: corev1.NodeSystemInfo{SystemUUID: "u"},
	}}
	node.Namespace = ""
	client := fake.NewClientset(node, &corev1.Service{ObjectMeta: meta})
	factory := informers.NewSharedInformerFactory(client, 0)
	cloud := New(nil, Self{})
	cloud.stop = t.Context().Done()
	cloud.SetInformers(factory)
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())

	kept, err := factory.Core().V1().Nodes().Lister().Get("x")
	require.NoError(t, err)
	assert.Empty(t, kept.ManagedFields)
	assert.Empty(t, kept.Status.Images)
	assert.Equal(t, "u", kept.Status.NodeInfo.SystemUUID)
	assert.Equal(t, meta.Labels, kept.Labels)
	service, err := factory.Core().V1().Services().Lister().Services("y").Get("x")
	require.NoError(t, err)
	assert.Empty(t, service.ManagedFields)
	assert.Equal(t, meta.Labels, service.Labels)

	assert.ErrorContains(t, keepLean(factory), "making the informer of")
	gone := cache.DeletedFinalStateUnknown{Key: "x"}
	same, err := lean(gone)
	require.NoError(t, err)
	assert.Equal(t, gone, same)
}
