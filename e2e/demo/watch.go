package demo

import (
	"bytes"
	"context"
	"regexp"
	"sync"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// treeInterval is how often the demo reads the resource tree. The demo prints the tree only if it has changed.
const treeInterval = 10 * time.Second

// reminderInterval is how often the demo prints the conditions for which it waits.
const reminderInterval = time.Minute

// ages matches the AGE column of a resource tree and its padding. The demo ignores the column when it compares trees,
// because the ages always change.
var ages = regexp.MustCompile(` +(\d+[smhd])+ +| +`)

// watcher prints events about CAPNT's objects, the resource tree when it changes, and, every minute, the conditions for
// which the demo waits.
type watcher struct {
	demo   *Demo
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	shown  map[string]string // the last printed tree, by cluster
}

func (d *Demo) watch(ctx context.Context, awaited func(context.Context) ([]string, error)) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{demo: d, cancel: cancel, shown: map[string]string{}}
	w.done.Go(func() { w.events(ctx) })
	w.done.Go(func() { w.every(ctx, treeInterval, w.trees) })
	w.done.Go(func() {
		w.every(ctx, reminderInterval, func(ctx context.Context) {
			if lines, err := awaited(ctx); ctx.Err() == nil {
				d.Out.remind(lines, err)
			}
		})
	})
	return w
}

func (w *watcher) stop() {
	w.cancel()
	w.done.Wait()
}

// events prints an event for each plan and apply. It ignores events from before the watch began.
func (w *watcher) events(ctx context.Context) {
	stream, err := w.demo.stack.Env.Client.Watch(ctx, &eventsv1.EventList{})
	if err != nil {
		w.demo.Out.Line("watching events failed: %v", err)
		return
	}
	defer stream.Stop()
	began := time.Now().Add(-time.Second)
	for {
		select {
		case <-ctx.Done():
			return
		case change, open := <-stream.ResultChan():
			if !open {
				return
			}
			event, ok := change.Object.(*eventsv1.Event)
			if !ok || event.Regarding.GroupVersionKind().Group != infrav1.GroupVersion.Group || event.CreationTimestamp.Time.Before(began) {
				continue
			}
			w.demo.Out.Line("%-8s %s/%s: %s", event.Reason, event.Regarding.Kind, event.Regarding.Name, event.Note)
		}
	}
}

// every calls do at each interval until the watch ends.
func (w *watcher) every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do(ctx)
		}
	}
}

func (w *watcher) trees(ctx context.Context) {
	for _, cluster := range w.demo.clusters() {
		w.tree(ctx, client.ObjectKeyFromObject(cluster))
	}
}

// tree prints the resource tree of a cluster if the tree has changed. If the cluster does not exist, it prints nothing.
func (w *watcher) tree(ctx context.Context, key client.ObjectKey) {
	var text bytes.Buffer
	if err := w.demo.stack.Env.PrintTree(ctx, &text, key); err != nil {
		return
	}
	w.mu.Lock()
	timeless := ages.ReplaceAllString(text.String(), "")
	same := w.shown[key.String()] == timeless
	w.shown[key.String()] = timeless
	w.mu.Unlock()
	if same {
		return
	}
	text.WriteByte('\n')
	_, _ = w.demo.Out.Write(append([]byte{'\n'}, text.Bytes()...))
}
