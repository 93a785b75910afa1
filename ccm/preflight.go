package ccm

import (
	"context"
	"errors"
	"time"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// preflight looks whether load balancers can be as the configuration says, before there is a Service that needs one, and tells
// what it finds once. It ends nothing: what is wrong today may be made in Prism Central tomorrow.
type preflight struct {
	tell teller
	// look gives what is wrong. It reports whether there was anything to look at.
	look func(context.Context) (bool, error)
	// due has room for one.
	due  chan struct{}
	told string // what was said last; "" at first
}

func newPreflight(tell teller, look func(context.Context) (bool, error)) *preflight {
	return &preflight{tell: tell, look: look, due: make(chan struct{}, 1)}
}

// again makes it look as soon as it can. It never waits.
func (p *preflight) again() {
	select {
	case p.due <- struct{}{}:
	default: // it is due already
	}
}

// run looks whenever it is due, and in every period as long as something is wrong, until the context ends.
func (p *preflight) run(ctx context.Context, period time.Duration) {
	ticks := time.NewTicker(period)
	defer ticks.Stop()
	settled := true // until Prism Central answers
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.due:
		case <-ticks.C:
			if settled {
				continue
			}
		}
		settled = p.once(ctx)
	}
}

// saysNothing reports that an error is not about the configuration; reach tells of it.
func saysNothing(err error) bool {
	if errors.As(err, new(*loadbalancer.Refusal)) {
		return false
	}
	switch nutanix.KindOf(err) {
	case nutanix.Unavailable, nutanix.Throttled, nutanix.Unauthorized:
		return true
	default:
		return false
	}
}

// once looks, and reports whether that settles it.
func (p *preflight) once(ctx context.Context) bool {
	exists, err := p.look(ctx)
	switch {
	case saysNothing(err):
		return false
	case !exists:
		p.told = ""
		return true
	case err != nil:
		if p.told != err.Error() {
			p.tell.warn(ReasonLoadBalancersImpossible, "Load balancers cannot be made as the configuration says", err)
		}
		p.told = err.Error()
		return false
	}
	if p.told != ReasonLoadBalancersPossible {
		p.tell.say(ReasonLoadBalancersPossible, "What the configuration names for load balancers is there")
	}
	p.told = ReasonLoadBalancersPossible
	return true
}
