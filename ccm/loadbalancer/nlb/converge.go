package nlb

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// maxRounds bounds how often one call plans anew because something changed under it.
const maxRounds = 6

// converge makes what is found as it is wanted. What was changed meanwhile is read and planned again.
func (b *Backend) converge(ctx context.Context, n network, w wanted) (*progress, error) {
	refused := sets.New[listenerChange]()
	hasConflict := false
	var err error
	for range maxRounds {
		f, gatherErr := b.gather(ctx, n, w.owner)
		if gatherErr != nil {
			return nil, gatherErr
		}
		f.refused = refused
		steps, p := plan(w.settle(f, n.mine()), f)
		var failed step
		failed, err = b.carryOut(ctx, steps, p, hasConflict)
		var stuck *immovableError
		switch {
		case err == nil && !p.more:
			return p, nil
		case err == nil:
		case errors.As(err, &stuck):
			refused.Insert(stuck.change)
		case nutanix.Is(err, nutanix.Conflict) && !hasConflict:
			hasConflict = true // perhaps with a piece of ours that came into being after the gathering
		case isOutdated(err):
			err = fmt.Errorf("%s: %w", failed, err)
		default:
			return nil, explain(failed, err)
		}
	}
	return nil, stillChanging(err)
}

// carryOut does one step after the other until one fails. With allowsRefusal a session that conflicts while another one of
// the Service has the virtual IP is left out: Prism Central shares no virtual IPs.
func (b *Backend) carryOut(ctx context.Context, steps []step, p *progress, allowsRefusal bool) (step, error) {
	for _, s := range steps {
		err := s.act(ctx, b.options.API, p)
		if creation, ok := s.(createSession); ok && allowsRefusal && nutanix.Is(err, nutanix.Conflict) && len(p.sessions) > 0 {
			p.refused[creation.session.Name] = true
			continue
		}
		if errors.Is(err, errUnneeded) {
			continue
		}
		if err != nil {
			return s, err
		}
		klog.FromContext(ctx).Info("Changed a piece of a load balancer", "step", s.String())
	}
	return nil, nil
}

// updateNodes changes targets alone.
func (b *Backend) updateNodes(ctx context.Context, w wanted) error {
	var err error
	for range maxRounds {
		var f found
		if f.sessions, err = b.options.API.ListLoadBalancerSessions(ctx, w.owner.Prefix()); err != nil {
			return fmt.Errorf("listing load balancer sessions: %w", err)
		}
		var failed step
		failed, err = b.carryOut(ctx, planNodes(w, f), &progress{}, false)
		switch {
		case err == nil:
			return nil
		case !isOutdated(err):
			return explain(failed, err)
		}
	}
	return stillChanging(err)
}

// remove deletes pieces until none is found.
func (b *Backend) remove(ctx context.Context, n network, owner loadbalancer.Owner) error {
	var err error
	for range maxRounds {
		f, gatherErr := b.gather(ctx, n, owner)
		switch {
		case gatherErr != nil:
			return gatherErr
		case f.isEmpty():
			return nil
		}
		var failed step
		failed, err = b.carryOut(ctx, planDelete(f), &progress{}, false)
		if err != nil && !isOutdated(err) {
			return explain(failed, err)
		}
	}
	return stillChanging(err)
}

// isOutdated reports that an object is not as it was read.
func isOutdated(err error) bool {
	return nutanix.Is(err, nutanix.Stale) || nutanix.Is(err, nutanix.NotFound)
}

func stillChanging(err error) error {
	if err == nil {
		err = errors.New("pieces appear again and again")
	}
	return fmt.Errorf("giving up after %d attempts, because what is in Prism Central keeps changing: %w", maxRounds, err)
}
