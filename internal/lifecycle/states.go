package lifecycle

import (
	"context"
	"encoding/json"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
)

// States stores the states of targets with the kubernetes backend. state.Store implements it.
type States interface {
	// Open gives a run access to the target's state. It returns a *state.LockedError if another process holds the lock.
	Open(ctx context.Context, key state.Key, owner client.Object) (*state.Session, error)
	// Remove deletes the state that key identifies and its lock. Everything in the state must have been destroyed.
	Remove(ctx context.Context, key state.Key) error
}

// backendFile is the workspace file that selects the backend. httpBackend is the content of this file in a run whose state the manager
// stores. The backend reads the rest of its configuration from environment variables. A plan file therefore contains no address or token,
// and a run with another session can apply it.
const (
	backendFile = "backend.tf"
	httpBackend = "terraform {\n  backend \"http\" {}\n}\n"
)

// RemoveState deletes the state of a target. Everything in the state must have been destroyed. Backends other than kubernetes keep an
// empty state.
func (p *Pipeline) RemoveState(ctx context.Context, target Target) error {
	if err := p.unwritten.remove(target.unwrittenName()); err != nil {
		return err
	}
	if !target.Backend.Kubernetes() {
		return nil
	}
	return p.States.Remove(ctx, target.stateKey())
}

func (t Target) stateKey() state.Key {
	return state.Key{Namespace: t.Object.GetNamespace(), Suffix: t.Backend.Suffix}
}

// openState opens the state of a target with the kubernetes backend. It returns nil for other backends. If another process holds the
// lock, it returns a *terraform.Error of class LockHeld.
func (p *Pipeline) openState(ctx context.Context, target Target) (*state.Session, error) {
	if !target.Backend.Kubernetes() {
		return nil, nil
	}
	session, err := p.States.Open(ctx, target.stateKey(), target.Object)
	var locked *state.LockedError
	switch {
	case errors.As(err, &locked):
		return nil, terraform.LockHeldError(terraform.LockInfo(locked.Lock))
	case err != nil:
		return nil, err
	}
	if broken := session.Broken(); broken != nil {
		p.memories.with(target.Key(), func(m *memory) { m.events = append(m.events, unlockedEvent(broken.String())) })
	}
	return session, nil
}

// storedWorkspace is a workspace whose state the manager stores. It reads and edits the state without running a Terraform command.
type storedWorkspace struct {
	Workspace
	session *state.Session
}

func (w storedWorkspace) Pull(ctx context.Context) ([]byte, error) { return w.session.Read(ctx) }

func (w storedWorkspace) State(ctx context.Context) (*terraform.State, error) {
	content, err := w.session.Read(ctx)
	if err != nil {
		return nil, err
	}
	return terraform.ParseState(content)
}

func (w storedWorkspace) Outputs(ctx context.Context) (map[string]json.RawMessage, error) {
	content, err := w.session.Read(ctx)
	if err != nil {
		return nil, err
	}
	return state.Outputs(content)
}

func (w storedWorkspace) Forget(ctx context.Context, addresses ...string) error {
	return w.session.Edit(ctx, "state rm", func(content []byte) ([]byte, error) { return state.Forget(content, addresses...) })
}

func (w storedWorkspace) Untaint(ctx context.Context, address string) error {
	return w.session.Edit(ctx, "untaint", func(content []byte) ([]byte, error) { return state.Untaint(content, address) })
}

func (w storedWorkspace) Push(ctx context.Context, content []byte) error {
	return w.session.Push(ctx, content)
}
