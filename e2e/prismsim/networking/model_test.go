package networking

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
)

// newSmallAPI returns an API whose address pools run out during the test.
func newSmallAPI(t *testing.T) *API {
	t.Helper()
	inventory, err := inventory.Load("../testdata/vpc.yaml")
	require.NoError(t, err)
	e, err := model.New(inventory, model.Settings{})
	require.NoError(t, err)
	return New(e, Rules{})
}

// step makes one random change. The change may fail.
func step(e *API, random *rand.Rand, number int) {
	vips := e.SubnetNamed("blue-vips")
	address := netip.MustParseAddr("127.60.2." + strconv.Itoa(9+random.IntN(6)))
	context := strconv.Itoa(random.IntN(3))
	switch random.IntN(9) {
	case 0:
		_, _ = reserve(vips, addressSelection{by: selectCount, count: 1 + random.IntN(2), context: context}, 0)
	case 1:
		_, _ = reserve(vips, addressSelection{by: selectList, addresses: []netip.Addr{address}, context: context}, 0)
	case 2:
		_, _ = unreserve(vips, addressSelection{by: selectContext, context: context})
	case 3:
		_, _ = vips.V4.Take("nic " + context)
	case 4:
		vips.V4.Release("nic " + context)
	case 5, 6:
		_ = e.createSession(strconv.Itoa(number), anySession(e, random, address))
	case 7:
		if len(e.sessions.All) > 0 {
			_ = e.updateSession(e.sessions.All[random.IntN(len(e.sessions.All))], anySession(e, random, address))
		}
	case 8:
		if len(e.sessions.All) > 0 {
			_ = e.deleteSession(e.sessions.All[random.IntN(len(e.sessions.All))])
		}
	}
}

func anySession(e *API, random *rand.Rand, address netip.Addr) sessionSpec {
	port := 80 + random.IntN(2)
	return sessionSpec{
		name: "s", vpcUUID: e.VPCs[0].UUID, protocol: []string{"TCP", "UDP"}[random.IntN(2)], ports: []portRange{{port, port}},
		wantVIP: wantedVIP{subnetUUID: e.SubnetNamed("blue-vips").UUID, static: random.IntN(2) == 0, address: address, prefixLength: 32},
	}
}

// requireConsistent requires that every address in use has exactly one owner, and that the owner uses the address.
func requireConsistent(t *testing.T, e *API) {
	t.Helper()
	vips := e.SubnetNamed("blue-vips")
	listeners := map[string]string{}
	for _, s := range e.sessions.All {
		require.Equal(t, vipHolder, vips.V4.InUse[s.vip], "session %s has %s", s.uuid, s.vip)
		listener := s.vip.String() + s.protocol + s.ports[0].String()
		require.Empty(t, listeners[listener], "two sessions listen at %s", listener)
		listeners[listener] = s.uuid
	}
	for a, holder := range vips.V4.InUse {
		require.True(t, vips.V4.Usable(a))
		if holder == vipHolder {
			require.True(t, slices.ContainsFunc(e.sessions.All, func(s *session) bool { return s.vip == a }), "%s is held by no session", a)
			continue
		}
		require.NotContains(t, vips.V4.Reservations, a, "a reserved address is given to %s", holder)
	}
}

func TestEachAddressHasOneOwner(t *testing.T) {
	const steps = 3000
	for seed := range uint64(5) {
		e := newSmallAPI(t)
		e.rules.ExclusiveVIP = seed == 4
		random := rand.New(rand.NewPCG(seed, seed))
		for i := range steps {
			step(e, random, i)
			requireConsistent(t, e)
		}
		vips := e.SubnetNamed("blue-vips")
		for len(e.sessions.All) > 0 {
			require.Nil(t, e.deleteSession(e.sessions.All[0]))
		}
		for context := range 3 {
			vips.V4.Release("nic " + strconv.Itoa(context))
			_, _ = unreserve(vips, addressSelection{by: selectContext, context: strconv.Itoa(context)})
		}
		assert.Empty(t, vips.V4.InUse)
		assert.Empty(t, vips.V4.Reservations)
		used, free := vips.V4.Stats()
		assert.Equal(t, []int{0, 3}, []int{used, free})
	}
}

func TestPortRanges(t *testing.T) {
	tests := map[string]struct {
		a, b     portRange
		overlaps bool
	}{
		"equal":     {portRange{80, 80}, portRange{80, 80}, true},
		"beside":    {portRange{80, 80}, portRange{81, 90}, false},
		"inside":    {portRange{80, 90}, portRange{85, 85}, true},
		"at an end": {portRange{80, 90}, portRange{90, 99}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.overlaps, test.a.overlaps(test.b))
			assert.Equal(t, test.overlaps, test.b.overlaps(test.a))
			parsed, err := parsePorts(test.b.String())
			require.NoError(t, err)
			assert.Equal(t, test.b, parsed)
		})
	}
	for _, text := range []string{"", "x", "80-", "80-y"} {
		_, err := parsePorts(text)
		assert.Error(t, err, text)
	}
}
