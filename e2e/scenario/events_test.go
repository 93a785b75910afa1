package scenario

import (
	"context"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// events returns all events about an object in the cluster's namespace.
func (c *cluster) events(name string) []eventsv1.Event {
	c.t.Helper()
	list := &eventsv1.EventList{}
	require.NoError(c.t, testStack.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	return slices.DeleteFunc(list.Items, func(event eventsv1.Event) bool { return event.Regarding.Name != name })
}

// eventReasons returns the reasons of all events about an object.
func (c *cluster) eventReasons(name string) []string {
	c.t.Helper()
	var reasons []string
	for _, event := range c.events(name) {
		reasons = append(reasons, event.Reason)
	}
	return reasons
}

// waitForEvents waits until the object has an event for each of the reasons. It has to wait because the manager writes
// events asynchronously.
func (c *cluster) waitForEvents(name string, reasons ...string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "events about "+name, func(context.Context) (bool, string, error) {
		seen := c.eventReasons(name)
		missing := slices.DeleteFunc(slices.Clone(reasons), func(reason string) bool { return slices.Contains(seen, reason) })
		return len(missing) == 0, "missing: " + strings.Join(missing, ", "), nil
	}))
}

// waitForWarning waits until the object has a warning event with the reason, and the note of the event contains part.
func (c *cluster) waitForWarning(name, reason, part string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "an event "+reason+" about "+name, func(context.Context) (bool, string, error) {
		for _, event := range c.events(name) {
			if event.Type == corev1.EventTypeWarning && event.Reason == reason && strings.Contains(event.Note, part) {
				logf(c.t, "event %s: %s", event.Reason, event.Note)
				return true, "", nil
			}
		}
		return false, strings.Join(c.eventReasons(name), ", "), nil
	}))
}
