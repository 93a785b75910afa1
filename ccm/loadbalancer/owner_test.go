package loadbalancer

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"

	"github.com/capnt/capnt/ccm/config"
)

const serviceUID = types.UID("dddddddd-0000-4000-8000-000000000001")

func TestMarksAreReadBack(t *testing.T) {
	assert.Equal(t, "0a1b2c3d", ClusterID("0a1b2c3d-0000-4000-8000-000000000001"))
	for _, owner := range []Owner{{"prod", "0a1b2c3d", serviceUID}, {"prod", "", serviceUID}, {"a-b", "0a1b2c3d", serviceUID}} {
		for _, name := range []string{owner.Name(), owner.Name() + "-tcp-80"} {
			read, ok := ParseName(owner.Cluster, name)
			assert.True(t, ok, name)
			assert.Equal(t, owner, read, name)
		}
		read, ok := ParseContext(owner.Cluster, owner.Context())
		assert.True(t, ok)
		assert.Equal(t, owner, read)
		_, ok = ParseName("a", owner.Name())
		assert.False(t, ok, "of a cluster whose name begins alike")
	}
	_, ok := ParseContext("prod", "prod/"+string(serviceUID)+"/something")
	assert.False(t, ok)
}

func TestOwnMarksAreThoseWithTheIDAndThoseWithout(t *testing.T) {
	ours := Owner{"prod", "0a1b2c3d", serviceUID}
	assert.True(t, ours.Owns(ours))
	assert.True(t, ours.Owns(ours.In("")))
	assert.False(t, ours.Owns(ours.In("ffffffff")))
	assert.False(t, ours.Owns(Owner{"test", "0a1b2c3d", serviceUID}))
	assert.True(t, ours.In("").Owns(ours), "the right to know the ID was taken away")
}

// Another cluster has the same name by mistake. Some of its pieces were made while it did not know its ID.
func TestLoadBalancersOfATwinAreLeftAloneAndTold(t *testing.T) {
	d := newDesk(t)
	d.ClusterID = "0a1b2c3d"
	d.config.LoadBalancer.Orphans = config.OrphansDelete
	twin := Owner{"prod", "ffffffff", serviceUID}
	d.nlb.hold(twin, "10.1.0.8")
	d.ipam.hold(twin.In(""), "10.2.0.8")
	d.nlb.hold(Owner{"prod", "0a1b2c3d", "dddddddd-0000-4000-8000-000000000002"}, "10.1.0.9")
	d.ipam.hold(Owner{"prod", "", "dddddddd-0000-4000-8000-000000000003"}, "10.2.0.9")
	c := &collector{Balancer: d.Balancer}
	for range 3 {
		c.collect(t.Context())
	}
	assert.Equal(t, map[Owner]string{twin: "10.1.0.8"}, d.nlb.holds())
	assert.Equal(t, map[Owner]string{twin.In(""): "10.2.0.8"}, d.ipam.holds())
	events := d.events()
	assert.Len(t, events, 3, "two orphans, and the twin once")
	assert.Contains(t, events[0], "Warning ClusterNameTaken")
	assert.Contains(t, events[0], "ffffffff")
}
