package nlb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/capnt/capnt/ccm/nutanix"
)

// step is one change in Prism Central: one call that may be repeated, and that leaves everything in order if it is the last.
type step interface {
	fmt.Stringer
	// act does it and adds what it learned to the progress. errUnneeded is no failure.
	act(ctx context.Context, api nutanix.API, p *progress) error
}

// errUnneeded is what a step gives that has nothing to change, as it turns out.
var errUnneeded = errors.New("there is nothing to change")

// progress is what is known so far while a plan is carried out.
type progress struct {
	// address is the virtual IP.
	address netip.Addr
	// sessions are the UUIDs of the sessions that there are, by the name that they have in the end.
	sessions map[string]string
	// refused are names of sessions that Prism Central does not allow on the virtual IP of another.
	refused map[string]bool
	// floating is the floating IP, if there is one.
	floating netip.Addr
	// more is set when the rest has to be planned from what is found after these steps.
	more bool
}

type reserve struct {
	w       wanted
	address netip.Addr
	// isHeld is true when a session of the same owner has the address, so that it is ours anyhow.
	isHeld bool
	// by is the client context of who reserved it, if somebody else did.
	by string
}

func (s reserve) String() string {
	if !s.address.IsValid() {
		return "reserve an address in " + s.w.subnet.Name
	}
	return fmt.Sprintf("reserve %s in %s", s.address, s.w.subnet.Name)
}

func (s reserve) act(ctx context.Context, api nutanix.API, p *progress) error {
	if s.by != "" && !s.isHeld {
		return addressTaken(s, nil)
	}
	address, err := api.ReserveIP(ctx, s.w.subnet.UUID, s.address, s.w.owner.Context())
	if nutanix.Is(err, nutanix.Conflict) && s.isHeld {
		return errUnneeded
	}
	if err != nil {
		return err
	}
	p.address = address
	return nil
}

type unreserve reservation

func (s unreserve) String() string { return fmt.Sprintf("free %s", s.address) }

func (s unreserve) act(ctx context.Context, api nutanix.API, _ *progress) error {
	return ignoreMissing(api.UnreserveIPs(ctx, s.subnetUUID, s.address))
}

type createSession struct{ session nutanix.LoadBalancerSession }

func (s createSession) String() string { return "create session " + s.session.Name }

func (s createSession) act(ctx context.Context, api nutanix.API, p *progress) error {
	session := s.session
	session.VirtualIP = p.address
	made, err := api.CreateLoadBalancerSession(ctx, session)
	if err != nil {
		return err
	}
	p.sessions[session.Name] = made.UUID
	return nil
}

type updateSession struct{ have, want nutanix.LoadBalancerSession }

func (s updateSession) String() string {
	if s.have.Name != s.want.Name {
		return fmt.Sprintf("change session %s to %s", s.have.Name, s.want.Name)
	}
	return "change session " + s.have.Name
}

func (s updateSession) act(ctx context.Context, api nutanix.API, p *progress) error {
	session := s.want
	session.UUID, session.ETag, session.VirtualIP = s.have.UUID, s.have.ETag, p.address
	err := api.UpdateLoadBalancerSession(ctx, session)
	if change := changeOf(s.have, s.want, p.address); nutanix.Is(err, nutanix.Invalid) && !change.isNone() {
		return &immovableError{change, err}
	}
	return err
}

// immovableError says that Prism Central does not change a listener in that way: the session has to be made anew.
type immovableError struct {
	change listenerChange
	cause  error
}

func (e *immovableError) Error() string { return "changing a listener: " + e.cause.Error() }
func (e *immovableError) Unwrap() error { return e.cause }

// retarget changes nothing but the targets of a session.
type retarget struct {
	session nutanix.LoadBalancerSession
	targets []nutanix.Target
}

func (s retarget) String() string { return "change targets of session " + s.session.Name }

func (s retarget) act(ctx context.Context, api nutanix.API, _ *progress) error {
	session := s.session
	session.Targets = s.targets
	return api.UpdateLoadBalancerSession(ctx, session)
}

type deleteSession struct{ session nutanix.LoadBalancerSession }

func (s deleteSession) String() string { return "delete session " + s.session.Name }

func (s deleteSession) act(ctx context.Context, api nutanix.API, _ *progress) error {
	return ignoreMissing(api.DeleteLoadBalancerSession(ctx, s.session))
}

type createFloatingIP struct {
	ip nutanix.FloatingIP
	to association
}

func (s createFloatingIP) String() string { return "create floating IP " + s.to.String() }

func (s createFloatingIP) act(ctx context.Context, api nutanix.API, p *progress) error {
	made, err := api.CreateFloatingIP(ctx, s.to.apply(s.ip, p))
	if err != nil {
		return err
	}
	p.floating = made.Address
	return nil
}

type associate struct {
	ip nutanix.FloatingIP
	to association
}

func (s associate) String() string { return "associate floating IP " + s.to.String() }

func (s associate) act(ctx context.Context, api nutanix.API, p *progress) error {
	return api.UpdateFloatingIP(ctx, s.to.apply(s.ip, p))
}

type deleteFloatingIP struct{ ip nutanix.FloatingIP }

func (s deleteFloatingIP) String() string { return fmt.Sprintf("delete floating IP %s", s.ip.Address) }

func (s deleteFloatingIP) act(ctx context.Context, api nutanix.API, _ *progress) error {
	return ignoreMissing(api.DeleteFloatingIP(ctx, s.ip))
}

func (a association) String() string {
	if a.session == "" {
		return "with the virtual IP"
	}
	return "with session " + a.session
}

func ignoreMissing(err error) error {
	if nutanix.Is(err, nutanix.NotFound) {
		return nil
	}
	return err
}
