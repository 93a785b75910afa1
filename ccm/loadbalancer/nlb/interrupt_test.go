package nlb

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
)

// attempt calls the backend; a caller that is killed is an error here.
func attempt(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			killed, ok := r.(error)
			if !ok || !errors.Is(killed, errKilled) {
				panic(r)
			}
			err = killed
		}
	}()
	return do()
}

// ensuring and deleting are what the backend is called for; nil is a Service that is deleted.
func (w *world) change(number int, to *corev1.Service) error {
	return attempt(func() error {
		if to == nil {
			return w.backend().Delete(context.Background(), loadbalancer.OwnerOf(cluster, newService(number)))
		}
		_, err := w.ensure(to)
		return err
	})
}

var both = withPorts(tcp(80, 30080), udp(53, 30053))

// changes are from one Service to another; nil is none.
var changes = map[string]struct {
	from, to *corev1.Service
	rules    rules
}{
	"create":                              {from: nil, to: newService(1)},
	"create with TCP, UDP, floating IP":   {from: nil, to: newService(1, both, withFloatingIP)},
	"create with a static address":        {from: nil, to: newService(1, both, withAddress("10.0.0.77"), withFloatingIP)},
	"delete":                              {from: newService(1, both, withFloatingIP), to: nil},
	"delete with one session":             {from: newService(1, withFloatingIP), to: nil},
	"port changed":                        {from: newService(1, withFloatingIP), to: newService(1, withFloatingIP, withPorts(tcp(81, 30080)))},
	"port changed, listener is fixed":     {from: newService(1, withFloatingIP), to: newService(1, withFloatingIP, withPorts(tcp(81, 30080))), rules: rules{fixedListener: true}},
	"port changed, virtual IP not shared": {from: newService(1), to: newService(1, withPorts(tcp(81, 30080))), rules: rules{exclusiveVIP: true}},
	"node port changed":                   {from: newService(1, both), to: newService(1, withPorts(tcp(80, 31080), udp(53, 30053)))},
	"protocol changed":                    {from: newService(1, withFloatingIP), to: newService(1, withFloatingIP, withPorts(udp(80, 30080)))},
	"port added":                          {from: newService(1, withFloatingIP), to: newService(1, withFloatingIP, both)},
	"port removed":                        {from: newService(1, withFloatingIP, both), to: newService(1, withFloatingIP)},
	"address changed":                     {from: newService(1, both, withFloatingIP, withAddress("10.0.0.5")), to: newService(1, both, withFloatingIP, withAddress("10.0.0.6"))},
	"subnet changed":                      {from: newService(1, both, withFloatingIP), to: newService(1, both, withFloatingIP, withSubnet("more-vips"))},
	"subnet changed, listener is fixed":   {from: newService(1, both, withFloatingIP), to: newService(1, both, withFloatingIP, withSubnet("more-vips")), rules: rules{fixedSubnet: true}},
	"subnet changed with one session":     {from: newService(1, withFloatingIP), to: newService(1, withFloatingIP, withSubnet("more-vips")), rules: rules{fixedSubnet: true}},
	"floating IP added":                   {from: newService(1, both), to: newService(1, both, withFloatingIP)},
	"floating IP removed":                 {from: newService(1, both, withFloatingIP), to: newService(1, both)},
}

// prepared gives a world that has the Service as it was before.
func prepared(t *testing.T, rules rules, from *corev1.Service) *world {
	w := newWorld(t)
	w.rules = rules
	if from != nil {
		w.mustEnsure(from)
	}
	w.reset()
	return w
}

func TestInterruptedAtEveryCallEverythingConvergesAndNothingLeaks(t *testing.T) {
	for name, tc := range changes {
		t.Run(name, func(t *testing.T) {
			straight := prepared(t, tc.rules, tc.from)
			require.NoError(t, straight.change(1, tc.to))
			straight.noViolations()
			calls := len(straight.calls)
			require.Greater(t, calls, 3)
			for at := 1; at <= calls; at++ {
				for _, how := range []interruption{{at: at}, {at: at, afterEffect: true}, {at: at, panics: true}, {at: at, afterEffect: true, panics: true}} {
					w := prepared(t, tc.rules, tc.from)
					w.interruption = how
					err := w.change(1, tc.to)
					require.True(t, w.hit)
					require.Error(t, err)
					w.reset()
					require.NoError(t, w.change(1, tc.to), "%+v after %s", how, straight.calls[at-1])
					assert.Equal(t, straight.picture(), w.picture(), "%+v", how)
					w.reset()
					require.NoError(t, w.change(1, tc.to))
					assert.Equal(t, straight.picture(), w.picture(), "a second time changes nothing")
					w.mustDelete(newService(1))
					assert.Zero(t, w.pieces(), "%+v: %v", how, w.picture())
					w.noViolations()
				}
			}
		})
	}
}

// TestInterruptedAndThenDeleted deletes what an interruption left, without finishing it first.
func TestInterruptedAndThenDeletedNothingIsLeft(t *testing.T) {
	for name, tc := range changes {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				w := prepared(t, tc.rules, tc.from)
				w.interruption = interruption{at: at, afterEffect: true, panics: true}
				if _ = w.change(1, tc.to); !w.hit {
					break
				}
				w.reset()
				isLeft := w.pieces() > 0
				_, found, err := w.backend().Status(context.Background(), newService(1))
				require.NoError(t, err)
				assert.Equal(t, isLeft, found, "a load balancer exists while any piece is left")
				w.mustDelete(newService(1))
				assert.Zero(t, w.pieces())
				w.noViolations()
			}
		})
	}
}

// TestWantedPortsAreServedDuringUpdates looks after every change whether what is wanted before and afterwards is served.
func TestWantedPortsAreServedDuringUpdates(t *testing.T) {
	for _, name := range []string{"node port changed", "port added", "port removed", "floating IP added", "floating IP removed"} {
		t.Run(name, func(t *testing.T) {
			tc := changes[name]
			w := prepared(t, tc.rules, tc.from)
			address := w.sessions[0].VirtualIP
			w.after = func() {
				served := false
				for _, s := range w.sessions {
					served = served || s.Port == 80 && s.VirtualIP == address && len(s.Targets) == 3
				}
				assert.True(t, served, "port 80 after %s", w.calls[len(w.calls)-1])
			}
			require.NoError(t, w.change(1, tc.to))
		})
	}
}

// TestRandomInterruptions makes 500 interruptions of random changes of four Services at random calls. The seed is fixed: the
// second run must do the same, call by call.
func TestRandomInterruptionsLeakNothing(t *testing.T) {
	const seed, wanted = 20240817, 500
	first := storm(t, seed, wanted)
	assert.Equal(t, first, storm(t, seed, wanted), "the same seed gives the same calls")
}

func storm(t *testing.T, seed int64, wanted int) []string {
	random := rand.New(rand.NewSource(seed))
	w := newWorld(t)
	var transcript []string
	for hits := 0; hits < wanted; {
		number := 1 + random.Intn(4)
		w.rules = rules{fixedSubnet: random.Intn(3) == 0, fixedListener: random.Intn(4) == 0}
		to := anyService(random, number)
		w.interruption = interruption{at: 1 + random.Intn(30), afterEffect: random.Intn(2) == 0, panics: random.Intn(2) == 0}
		err := w.change(number, to)
		if w.hit {
			hits++
		}
		require.True(t, w.hit || err == nil, "%v", err)
		transcript = append(transcript, append(w.calls, fmt.Sprint(err))...)
		w.reset()
		if random.Intn(3) == 0 {
			require.NoError(t, w.change(number, to), "the next try succeeds")
			if to == nil {
				_, found, err := w.backend().Status(context.Background(), newService(number))
				require.NoError(t, err)
				assert.False(t, found)
			}
			w.reset()
		}
		require.Empty(t, w.violations)
	}
	owners, err := w.backend().Owners(context.Background())
	require.NoError(t, err)
	for _, owner := range owners {
		require.NoError(t, w.backend().Delete(context.Background(), owner))
	}
	assert.Zero(t, w.pieces(), "leaked: %v", w.picture())
	assert.Empty(t, w.violations)
	return transcript
}

// anyService gives nil, to be deleted, one time in four.
func anyService(random *rand.Rand, number int) *corev1.Service {
	if random.Intn(4) == 0 {
		return nil
	}
	service := newService(number)
	ports := []corev1.ServicePort{tcp(80, 30080), tcp(443, 30443), udp(53, 30053), udp(80, 31080)}
	random.Shuffle(len(ports), func(i, j int) { ports[i], ports[j] = ports[j], ports[i] })
	withPorts(ports[:1+random.Intn(len(ports))]...)(service)
	if random.Intn(2) == 0 {
		withFloatingIP(service)
	}
	switch random.Intn(4) {
	case 0:
		withAddress(fmt.Sprintf("10.0.0.%d", 100+10*number+random.Intn(2)))(service) // no two Services ask for the same
	case 1:
		withSubnet("more-vips")(service)
	}
	return service
}
