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

// treeInterval is how often the tree is read. It is printed only when it has changed.
const treeInterval = 10 * time.Second

// reminderInterval is how often the demo prints what it waits for.
const reminderInterval = time.Minute

// ages matches the AGE column of a tree with its padding, which changes even if nothing else does.
var ages = regexp.MustCompile(` +(\d+[smhd])+ +| +`)

// watcher prints events about CAPNT's objects, the resource tree when it changes, and every minute the conditions
// that the demo waits for.
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

// events prints each plan and apply. It skips events from before the watch began.
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

// every calls a function at an interval until the watch ends.
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

// tree prints the tree of a cluster if it has changed. A cluster that does not exist has no tree.
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
