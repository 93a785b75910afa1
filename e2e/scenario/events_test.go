package scenario

import (
	"github.com/stretchr/testify/require"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// eventReasons are the reasons of all events about an object, in no order.
func (c *cluster) eventReasons(name string) []string {
	c.t.Helper()
	list := &eventsv1.EventList{}
	require.NoError(c.t, world.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	var reasons []string
	for _, event := range list.Items {
		if event.Regarding.Name == name {
			reasons = append(reasons, event.Reason)
		}
	}
	return reasons
}
