package lifecycle

import (
	"context"
	"encoding/json"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
)

// States stores the states of targets whose backend is kubernetes. state.Store implements it.
type States interface {
	// Open gives a run access to the target's state. It returns a *state.LockedError if another holds the lock.
	Open(ctx context.Context, key state.Key, owner client.Object) (*state.Session, error)
	// Remove deletes the target's state and lock, after everything in it was destroyed.
	Remove(ctx context.Context, key state.Key) error
}

// backendFile is the workspace file that selects the backend. httpBackend is its content in a run whose state the manager stores.
// The rest of the configuration is in the environment, so that another run can apply the plan.
const (
	backendFile = "backend.tf"
	httpBackend = "terraform {\n  backend \"http\" {}\n}\n"
)

// RemoveState removes the state of a target, after everything in it was destroyed. Backends other than kubernetes keep an empty state.
func (p *Pipeline) RemoveState(ctx context.Context, target Target) error {
	if !target.Backend.Kubernetes() {
		return nil
	}
	return p.States.Remove(ctx, target.stateKey())
}

func (t Target) stateKey() state.Key {
	return state.Key{Namespace: t.Object.GetNamespace(), Suffix: t.Backend.Suffix}
}

// openState opens the state of a target whose backend is kubernetes. It returns nil for other backends, and a *terraform.Error of class
// LockHeld if another process holds the lock.
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
	if session == nil {
		return nil, nil
	}
	if broken := session.Broken(); broken != nil {
		p.memories.with(target.Key(), func(m *memory) { m.events = append(m.events, unlockedEvent(broken.String())) })
	}
	return session, nil
}

// storedWorkspace is a workspace whose state the manager stores. The state is read and edited without a process.
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
