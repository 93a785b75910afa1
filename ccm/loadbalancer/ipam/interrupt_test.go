package ipam_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
)

// Every call of a life (made, moved to another address, withdrawn, deleted) fails once before and once after its effect; what
// comes after an interruption starts from nothing.
func TestInterruptedAnywhereItConvergesAndLeaksNothing(t *testing.T) {
	life := func(b *bed, s *corev1.Service, attempts int) {
		try := func(what string, do func() error) {
			var err error
			for range attempts {
				if err = do(); err == nil {
					return
				}
				b.restart()
			}
			require.NoError(b, err, what)
		}
		try("ensure", func() error { return b.ensure(s) })
		assert.Len(b, b.prism.all(), 1)
		b.change(s, func(s *corev1.Service) { s.Annotations[loadbalancer.AnnotationAddress] = "10.0.8.9" })
		try("move", func() error { return b.ensure(s) })
		assert.Equal(b, []string{"10.0.8.9" + reserved}, b.prism.all())
		assert.Equal(b, "10.0.8.9", b.read(s).Annotations[kubeVIP])
		try("delete", func() error {
			if err := b.backend.Withdraw(b.Context(), b.read(s)); err != nil {
				return err
			}
			return b.backend.Delete(b.Context(), loadbalancer.OwnerOf(cluster, s))
		})
		assert.Empty(b, b.prism.all())
		assert.NotContains(b, b.read(s).Annotations, kubeVIP)
	}
	undisturbed := newBed(t)
	life(undisturbed, undisturbed.service(1), 1)
	calls := undisturbed.made
	require.Greater(t, calls, 15)
	for call := 1; call <= calls; call++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, after %t", call, after), func(t *testing.T) {
				b := newBed(t)
				s := b.service(1)
				b.call, b.after = call, after
				life(b, s, 2)
				assert.GreaterOrEqual(t, b.made, call, "the interruption happened")
			})
		}
	}
}

// Services are made, changed and deleted at random, and the process ends at random calls; whatever happened, every Service that
// is left has one address in the end, and without Services nothing is reserved.
func TestRandomInterruptionsLeakNothing(t *testing.T) {
	const seed, wanted = 20261122, 500
	random := rand.New(rand.NewPCG(seed, 0))
	b := newBed(t)
	alive := map[int]*corev1.Service{}
	interrupted, next := 0, 0
	for rounds := 0; interrupted < wanted; rounds++ {
		require.Less(t, rounds, 100*wanted)
		if len(alive) < 8 && random.IntN(3) == 0 {
			next++
			alive[next] = b.service(next)
		}
		for _, number := range slices.Sorted(maps.Keys(alive)) {
			s := alive[number]
			if random.IntN(2) == 0 {
				continue
			}
			b.made, b.call, b.after = 0, random.IntN(9), random.IntN(2) == 0
			deleted := random.IntN(6) == 0
			var err error
			if deleted {
				err = b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s))
			} else {
				b.change(s, func(s *corev1.Service) { disturb(random, s) })
				err = b.ensure(s)
			}
			if err != nil && strings.Contains(err.Error(), errKilled.Error()) {
				interrupted++
				b.restart()
			} else if deleted {
				require.NoError(t, err)
				delete(alive, number)
			}
		}
	}
	b.call = 0
	for _, s := range alive {
		b.change(s, func(s *corev1.Service) { clear(s.Annotations) })
		require.NoError(t, b.ensure(s))
	}
	assert.Len(t, b.prism.all(), len(alive))
	for _, s := range alive {
		require.NoError(t, b.backend.Delete(t.Context(), loadbalancer.OwnerOf(cluster, s)))
	}
	assert.Empty(t, b.prism.all())
	t.Logf("%d interruptions, %d Services, seed %d", interrupted, next, seed)
}

// disturb changes what a Service asks for; what is asked may be taken.
func disturb(random *rand.Rand, s *corev1.Service) {
	switch random.IntN(5) {
	case 0:
		s.Annotations[loadbalancer.AnnotationAddress] = fmt.Sprintf("10.0.%d.%d", 8*random.IntN(2), 2+random.IntN(12))
		delete(s.Annotations, loadbalancer.AnnotationSubnet)
	case 1:
		delete(s.Annotations, loadbalancer.AnnotationAddress)
		s.Annotations[loadbalancer.AnnotationSubnet] = []string{"vlan-7", "vlan-8"}[random.IntN(2)]
	case 2:
		clear(s.Annotations)
	case 3:
		s.Annotations[kubeVIP] = fmt.Sprintf("10.0.0.%d", 2+random.IntN(12))
	}
}
