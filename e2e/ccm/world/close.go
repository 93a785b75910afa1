package world

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// closing bounds what is done after a test.
const closing = 2 * patience

// close ends the world. After a scenario that went well, it also is the proof that nothing leaks: all Services are deleted
// while the manager runs, and then nothing of the cluster may be left in Prism Central.
func (w *World) close(shared bool) {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	defer w.Prism.Close()
	defer w.Proxy.Close()
	defer w.Manager.Kill()
	w.Prism.Faults().Clear()
	w.Proxy.Judge(nil)
	if !w.t.Failed() {
		w.settle(ctx)
	} else {
		w.t.Log(w.tail())
	}
	w.Manager.Kill()
	w.takeServices(ctx)
	if !shared {
		w.clean(ctx)
		w.site.Pool.Give(w.ctl)
	}
}

// settle deletes all Services and waits until the manager has taken back what they had.
func (w *World) settle(ctx context.Context) {
	services := w.Kube.CoreV1().Services(w.Namespace)
	list, err := services.List(ctx, metav1.ListOptions{})
	require.NoError(w.t, err)
	if len(list.Items) > 0 && !w.Manager.Running() {
		w.Start()
	}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			assert.NoError(w.t, services.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{}))
		}
	}
	w.Until("all Services to be gone", func() string {
		list, err := services.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		if len(list.Items) == 0 {
			return ""
		}
		return fmt.Sprintf("%d are there, %s with the events %q", len(list.Items), list.Items[0].Name, w.Events(w.Namespace, list.Items[0].Name))
	})
	assert.Empty(w.t, w.Pieces(), "left in Prism Central after all Services are gone")
	w.noSecrets()
	if w.Manager.Running() {
		assert.NoError(w.t, w.Manager.Stop(), "the manager ends when it is told to")
	}
}

// clean makes the control plane as it was.
func (w *World) clean(ctx context.Context) {
	all := metav1.DeleteOptions{}
	assert.NoError(w.t, w.Kube.CoreV1().Nodes().DeleteCollection(ctx, all, metav1.ListOptions{}))
	for _, namespace := range []string{w.Namespace, metav1.NamespaceDefault, w.site.Deployment.Namespace} {
		assert.NoError(w.t, w.Kube.CoreV1().Events(namespace).DeleteCollection(ctx, all, metav1.ListOptions{}))
	}
	assert.NoError(w.t, w.Kube.CoordinationV1().Leases(w.site.Deployment.Namespace).DeleteCollection(ctx, all, metav1.ListOptions{}))
}

// takeServices removes Services that a failed test left, whatever they wait for.
func (w *World) takeServices(ctx context.Context) {
	services := w.Kube.CoreV1().Services(w.Namespace)
	list, err := services.List(ctx, metav1.ListOptions{})
	require.NoError(w.t, err)
	for i := range list.Items {
		service := &list.Items[i]
		service.Finalizers = nil
		_, err := services.Update(ctx, service, metav1.UpdateOptions{})
		assert.NoError(w.t, err)
		if service.DeletionTimestamp == nil {
			assert.NoError(w.t, services.Delete(ctx, service.Name, metav1.DeleteOptions{}))
		}
	}
}
