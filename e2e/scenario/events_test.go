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

// events are all events about an object, in no order.
func (c *cluster) events(name string) []eventsv1.Event {
	c.t.Helper()
	list := &eventsv1.EventList{}
	require.NoError(c.t, world.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	return slices.DeleteFunc(list.Items, func(event eventsv1.Event) bool { return event.Regarding.Name != name })
}

// eventReasons are the reasons of all events about an object, in no order.
func (c *cluster) eventReasons(name string) []string {
	c.t.Helper()
	var reasons []string
	for _, event := range c.events(name) {
		reasons = append(reasons, event.Reason)
	}
	return reasons
}

// told waits until there are Events of all these reasons about an object: they are written after what they tell of.
func (c *cluster) told(name string, reasons ...string) {
	c.t.Helper()
	c.must(world.Env.Wait(c.ctx, "Events about "+name, func(context.Context) (bool, string, error) {
		seen := c.eventReasons(name)
		missing := slices.DeleteFunc(slices.Clone(reasons), func(reason string) bool { return slices.Contains(seen, reason) })
		return len(missing) == 0, "missing: " + strings.Join(missing, ", "), nil
	}))
}

// warned waits for a warning about an object: its reason, and a part of its note.
func (c *cluster) warned(name, reason, part string) {
	c.t.Helper()
	c.must(world.Env.Wait(c.ctx, "an Event "+reason+" about "+name, func(context.Context) (bool, string, error) {
		for _, event := range c.events(name) {
			if event.Type == corev1.EventTypeWarning && event.Reason == reason && strings.Contains(event.Note, part) {
				say(c.t, "Event %s: %s", event.Reason, event.Note)
				return true, "", nil
			}
		}
		return false, strings.Join(c.eventReasons(name), ", "), nil
	}))
}
