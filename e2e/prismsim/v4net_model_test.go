package prismsim

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crowded is an estate whose address pools run out.
func crowded(t *testing.T) *networkAPI {
	t.Helper()
	inventory, err := LoadInventory("testdata/vpc.yaml")
	require.NoError(t, err)
	e, err := newEstate(inventory)
	require.NoError(t, err)
	return newNetworkAPI(e, NetworkRules{})
}

// step does one random change that may fail.
func step(e *networkAPI, random *rand.Rand, number int) {
	vips := e.subnetNamed("blue-vips")
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
		_, _ = vips.v4.take("nic " + context)
	case 4:
		vips.v4.release("nic " + context)
	case 5, 6:
		_ = e.createSession(strconv.Itoa(number), anySession(e, random, address))
	case 7:
		if len(e.sessions.all) > 0 {
			_ = e.updateSession(e.sessions.all[random.IntN(len(e.sessions.all))], anySession(e, random, address))
		}
	case 8:
		if len(e.sessions.all) > 0 {
			_ = e.deleteSession(e.sessions.all[random.IntN(len(e.sessions.all))])
		}
	}
}

func anySession(e *networkAPI, random *rand.Rand, address netip.Addr) sessionSpec {
	port := 80 + random.IntN(2)
	return sessionSpec{
		name: "s", vpcUUID: e.vpcs[0].UUID, protocol: []string{"TCP", "UDP"}[random.IntN(2)], ports: []portRange{{port, port}},
		wantVIP: wantedVIP{subnetUUID: e.subnetNamed("blue-vips").UUID, static: random.IntN(2) == 0, address: address, prefixLength: 32},
	}
}

// consistent checks that every address has one holder, who knows of it.
func consistent(t *testing.T, e *networkAPI) {
	t.Helper()
	vips := e.subnetNamed("blue-vips")
	listeners := map[string]string{}
	for _, s := range e.sessions.all {
		require.Equal(t, vipHolder, vips.v4.inUse[s.vip], "session %s has %s", s.uuid, s.vip)
		listener := s.vip.String() + s.protocol + s.ports[0].String()
		require.Empty(t, listeners[listener], "two sessions listen at %s", listener)
		listeners[listener] = s.uuid
	}
	for a, holder := range vips.v4.inUse {
		require.True(t, vips.v4.usable(a))
		if holder == vipHolder {
			require.True(t, slices.ContainsFunc(e.sessions.all, func(s *session) bool { return s.vip == a }), "%s is held by no session", a)
			continue
		}
		require.NotContains(t, vips.v4.reservations, a, "a reserved address is given to %s", holder)
	}
}

func TestNoAddressIsLostOrGivenTwice(t *testing.T) {
	const steps = 3000
	for seed := range uint64(5) {
		e := crowded(t)
		e.networkRules.ExclusiveVIP = seed == 4
		random := rand.New(rand.NewPCG(seed, seed))
		for i := range steps {
			step(e, random, i)
			consistent(t, e)
		}
		vips := e.subnetNamed("blue-vips")
		for len(e.sessions.all) > 0 {
			require.Nil(t, e.deleteSession(e.sessions.all[0]))
		}
		for context := range 3 {
			vips.v4.release("nic " + strconv.Itoa(context))
			_, _ = unreserve(vips, addressSelection{by: selectContext, context: strconv.Itoa(context)})
		}
		assert.Empty(t, vips.v4.inUse)
		assert.Empty(t, vips.v4.reservations)
		used, free := vips.v4.stats()
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
