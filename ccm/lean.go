package ccm

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// keepLean makes informers that do not run yet drop what nobody here reads, which is most of a Node and grows with the cluster.
func keepLean(factory informers.SharedInformerFactory) error {
	for name, informer := range map[string]cache.SharedIndexInformer{
		"Nodes": factory.Core().V1().Nodes().Informer(), "Services": factory.Core().V1().Services().Informer(),
	} {
		if err := informer.SetTransform(lean); err != nil {
			return fmt.Errorf("making the informer of %s drop what is not needed: %w", name, err)
		}
	}
	return nil
}

// lean drops who manages which field, and the images of a Node. Objects without them may be written back: all that is written
// is either a patch of what differs from them, or an update of a Node without its status, in which missing managed fields mean
// those of the API server (https://kubernetes.io/docs/reference/using-api/server-side-apply/#clearing-managedfields).
func lean(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	if node, ok := object.(*corev1.Node); ok {
		node.Status.Images = nil
	}
	return object, nil
}
