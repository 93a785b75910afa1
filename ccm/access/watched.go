package access

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
)

// key is one object, and the field of the configuration that refers to it.
type key struct{ kind, namespace, name, origin string }

// only narrows a list or a watch to the object, which rights that name it allow.
func (k key) only(options *metav1.ListOptions) {
	options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, k.name).String()
}

func (k key) String() string {
	return fmt.Sprintf("%s %s/%s (%s)", k.kind, k.namespace, k.name, k.origin)
}

// watched is an object that an informer follows.
type watched struct {
	key
	informer cache.SharedIndexInformer
	cancel   context.CancelFunc

	mu      sync.Mutex
	failure error
	failed  chan struct{} // closed with the first failure
}

func newWatched(of key, informer cache.SharedIndexInformer, life <-chan struct{}) *watched {
	ctx, cancel := context.WithCancel(wait.ContextForChannel(life))
	w := &watched{key: of, informer: informer, cancel: cancel, failed: make(chan struct{})}
	// It fails for an informer that runs, which this one does not yet.
	_ = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *cache.Reflector, err error) {
		cache.DefaultWatchErrorHandler(ctx, r, err)
		w.fail(err)
	})
	go informer.RunWithContext(ctx)
	return w
}

func (w *watched) end() { w.cancel() }

func (w *watched) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		close(w.failed)
	}
	w.failure = err
}

// get gives the object as it was last seen. It waits for the first look at it, or for that to fail.
func (w *watched) get(ctx context.Context) (runtime.Object, error) {
	synced := w.informer.HasSyncedChecker().Done()
	select {
	case <-synced:
	case <-w.failed:
	case <-ctx.Done():
		return nil, fmt.Errorf("reading %s: %w", w.key, context.Cause(ctx))
	}
	if !w.informer.HasSynced() {
		return nil, w.explain()
	}
	found, exists, err := w.informer.GetStore().GetByKey(w.namespace + "/" + w.name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", w.key, err)
	}
	object, ok := found.(runtime.Object)
	if !exists || !ok {
		return nil, fmt.Errorf("reading %s: it does not exist: create it, or correct the reference in the configuration", w.key)
	}
	return object, nil
}

// explain says why the object was never seen.
func (w *watched) explain() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if apierrors.IsForbidden(w.failure) {
		return fmt.Errorf("reading %s: the service account needs the right to list and watch it there: %w", w.key, w.failure)
	}
	return fmt.Errorf("reading %s: %w", w.key, w.failure)
}
