package ccm

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

func TestWhatThePreflightFindsIsToldOncePerChange(t *testing.T) {
	var (
		noVPC    = &loadbalancer.Refusal{Message: "there is no VPC"}
		noSubnet = &loadbalancer.Refusal{Message: "there is no subnet"}
	)
	type look struct {
		exists bool
		err    error
	}
	for name, tc := range map[string]struct {
		looks []look
		want  []string
	}{
		"all is well":              {[]look{{true, nil}, {true, nil}}, []string{ReasonLoadBalancersPossible}},
		"nothing is configured":    {[]look{{false, nil}}, nil},
		"one mistake is corrected": {[]look{{true, noVPC}, {true, noVPC}, {true, noSubnet}, {true, nil}}, []string{ReasonLoadBalancersImpossible, ReasonLoadBalancersImpossible, ReasonLoadBalancersPossible}},
		"it is broken later":       {[]look{{true, nil}, {true, noVPC}}, []string{ReasonLoadBalancersPossible, ReasonLoadBalancersImpossible}},
		"it was taken away":        {[]look{{true, noVPC}, {false, nil}, {true, noVPC}}, []string{ReasonLoadBalancersImpossible, ReasonLoadBalancersImpossible}},
		"no right to look":         {[]look{{true, of(nutanix.Forbidden, nil)}}, []string{ReasonLoadBalancersImpossible}},
		"no answer":                {[]look{{true, of(nutanix.Unavailable, nil)}, {true, of(nutanix.Unauthorized, nil)}, {true, of(nutanix.Throttled, nil)}, {true, context.Canceled}}, nil},
		"no answer changes nothing": {[]look{{true, nil}, {true, of(nutanix.Unavailable, nil)}, {true, nil}},
			[]string{ReasonLoadBalancersPossible}},
	} {
		t.Run(name, func(t *testing.T) {
			var told ear
			p := newPreflight(&told, nil)
			for _, one := range tc.looks {
				p.look = func(context.Context) (bool, error) { return one.exists, one.err }
				p.once(t.Context())
			}
			assert.Equal(t, tc.want, []string(told))
		})
	}
}

// TestThePreflightLooksWhenItIsDueAndAgainUntilAllIsWell runs on a clock of its own.
func TestThePreflightLooksWhenItIsDueAndAgainUntilAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		var wrong atomic.Bool
		p := newPreflight(&ear{}, func(context.Context) (bool, error) {
			looks.Add(1)
			if wrong.Load() {
				return true, &loadbalancer.Refusal{Message: "there is no VPC"}
			}
			return true, nil
		})
		go p.run(t.Context(), time.Minute)

		pass(time.Hour)
		assert.Zero(t, looks.Load(), "it looked before Prism Central answers")

		wrong.Store(true)
		p.again()
		p.again()
		synctest.Wait()
		assert.Positive(t, looks.Load())
		pass(10 * time.Minute)
		assert.GreaterOrEqual(t, looks.Load(), int64(10), "it does not notice that the VPC was made")

		wrong.Store(false)
		pass(time.Minute)
		settled := looks.Load()
		pass(time.Hour)
		assert.Equal(t, settled, looks.Load(), "it looked although nothing changed")
		p.again()
		synctest.Wait()
		assert.Equal(t, settled+1, looks.Load())
	})
}

// pass lets time pass on the clock of the test, and waits for what happens then.
func pass(duration time.Duration) {
	<-time.After(duration)
	synctest.Wait()
}
