package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/schedule"
	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// openWorkspace is an open workspace with its gateway session. Callers must call close.
type openWorkspace struct {
	Workspace
	generation *provider.Generation
	session    *gateway.Session
	close      func()
}

// open opens the target's state, a gateway session that forwards only reads, and the workspace.
func (p *Pipeline) open(ctx context.Context, target Target) (*openWorkspace, error) {
	generation, err := provider.ForVersion(p.providerVersion(target))
	if err != nil {
		return nil, err
	}
	stored, err := p.openState(ctx, target)
	if err != nil {
		return nil, err
	}
	options := gateway.RunOptions{
		Upstream: target.Upstream,
		Mode:     gateway.ReadOnly,
		Object:   target.Key(),
		Creates:  target.Hooks.Creates,
		Deleted:  target.Hooks.Deleted,
	}
	files := target.Workspace.Files
	initKey := "" // init of another backend may migrate or create something
	if stored != nil {
		options.State = stored
		files = maps.Clone(files)
		files[backendFile] = []byte(httpBackend)
		initKey = renderer.InitKey(files)
	}
	session, err := p.Gateway.Open(options)
	if err != nil {
		stored.Close(ctx)
		return nil, sessionError(err)
	}
	environment := maps.Clone(target.Backend.Environment)
	if environment == nil {
		environment = map[string]string{}
	}
	maps.Copy(environment, session.Env())
	workspace, err := p.Engine.Open(ctx, terraform.RunOptions{
		Files:           files,
		ProviderVersion: p.providerVersion(target),
		Variables:       target.Variables,
		Secrets:         target.Upstream.Secrets(),
		Env:             environment,
		CABundle:        session.CABundle(),
		StateName:       target.unwrittenName(),
		InitKey:         initKey,
		Responses:       func() []terraform.Response { return responses(session) },
		MemoryLimit:     generation.MemoryLimit,
	})
	if err != nil {
		session.Close()
		stored.Close(ctx)
		return nil, err
	}
	opened := &openWorkspace{Workspace: workspace, generation: generation, session: session, close: func() {
		if err := workspace.Close(); err != nil {
			log.FromContext(ctx).Error(err, "Failed to remove a workspace directory")
		}
		session.Close()
		stored.Close(ctx)
	}}
	if stored != nil {
		opened.Workspace = storedWorkspace{workspace, stored}
	}
	return opened, nil
}

// responses returns the error responses that the provider has received in a session.
func responses(session *gateway.Session) []terraform.Response {
	var list []terraform.Response
	for _, failure := range session.Failures() {
		list = append(list, terraform.Response(failure))
	}
	return list
}

// sessionError returns the error of a run for which the gateway opened no session.
func sessionError(err error) error {
	var refused *gateway.CredentialsRefusedError
	if errors.As(err, &refused) {
		return terraform.RefusedCredentialsError(refused)
	}
	return fmt.Errorf("opening gateway session: %w", err)
}

// writeState writes the state that an earlier apply could not write because the backend did not respond. If another process has written a
// newer state since, writeState discards the unwritten state. Hooks.Identify then finds the infrastructure that the apply created.
func (p *Pipeline) writeState(ctx context.Context, target Target, workspace Workspace) error {
	unwritten, err := p.unwritten.get(target.unwrittenName())
	if err != nil || unwritten == nil {
		return err
	}
	err = workspace.Push(ctx, unwritten)
	refused := terraform.Refused(err) || errors.Is(err, state.ErrRefused)
	if err != nil && !refused {
		return fmt.Errorf("writing the state of an earlier apply: %w", err)
	}
	if refused {
		p.memories.with(target.Key(), func(m *memory) { m.events = append(m.events, discardedEvent(err)) })
	}
	return p.unwritten.remove(target.unwrittenName())
}

// readBack reads the state and its outputs after a run, when the infrastructure matches the workspace.
func (p *Pipeline) readBack(ctx context.Context, target Target, workspace Workspace) (readBack, error) {
	written, err := workspace.State(ctx)
	if err != nil {
		return readBack{}, err
	}
	outputs, err := workspace.Outputs(ctx)
	if err != nil {
		return readBack{}, err
	}
	applied := Applied{WorkspaceDigest: target.Workspace.Digest, Lineage: written.Lineage, Serial: written.Serial}
	return readBack{applied: applied, outputs: outputs}, nil
}

func find(state *terraform.State, address string) terraform.Resource {
	for _, resource := range state.Resources {
		if resource.Address == address {
			return resource
		}
	}
	return terraform.Resource{}
}

// scheduledRun returns a run of the target without its function.
func (p *Pipeline) scheduledRun(target Target, observed Observed, action string) schedule.Run {
	memory := 0
	if generation, err := provider.ForVersion(p.providerVersion(target)); err == nil { // otherwise the run reports the error
		memory = generation.RunMemory()
	}
	return schedule.Run{
		Key:    target.Key(),
		Kind:   target.Kind,
		Object: target.Object,
		Lane:   observed.lane(action),
		Tenant: target.Upstream.Digest(),
		Waits:  action == actionApply,
		Memory: memory,
	}
}

// lane returns the lane of a run with the action.
func (o Observed) lane(action string) schedule.Lane {
	switch {
	case o.Deleting:
		return schedule.Delete
	case o.Applied == "":
		return schedule.Create
	case action == actionPlan && o.unchanged() && !o.Unfinished:
		return schedule.Check
	default:
		return schedule.Update
	}
}
