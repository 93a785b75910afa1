package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
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

// applyRun applies the recorded plan of the target.
func (p *Pipeline) applyRun(ctx context.Context, target Target) outcome {
	workspace, err := p.open(ctx, target)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer workspace.close()
	return p.apply(ctx, target, workspace)
}

// apply applies the recorded plan of the target in an open workspace.
func (p *Pipeline) apply(ctx context.Context, target Target, workspace *openWorkspace) outcome {
	recorded := p.recorded(target.Key())
	if recorded == nil {
		return superseded{"there is no plan any more"}
	}
	stored, err := p.Plans.Reload(ctx, *recorded)
	if err != nil {
		return failed{err: err}
	}
	present, err := workspace.State(ctx)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if o := p.verify(ctx, target, stored, present); o != nil {
		return o
	}
	if err := prepareDestruction(ctx, target, find(present, target.Resource).ID); err != nil {
		return notReady(&stored.Record, err)
	}
	stored, o := p.beginApply(ctx, target, stored)
	if o != nil {
		return o
	}
	if err := p.applyInMode(ctx, target, workspace, stored, cmp.Or(stored.Record.ImportID(target.Resource), find(present, target.Resource).ID)); err != nil {
		return p.applyFailed(ctx, target, workspace, &stored.Record, err)
	}
	switch {
	case target.Deleting() && target.Hooks.Remaining != nil && target.Hooks.Remaining():
		return destroyedSome{&stored.Record}
	case target.Deleting():
		return destroyed{&stored.Record}
	}
	back, err := p.readBack(ctx, target, workspace)
	if err != nil {
		return unread{&stored.Record, err}
	}
	return applied{&stored.Record, back}
}

// applyInMode applies a plan in a session that forwards only the requests that the plan needs. id is the ID of the existing infrastructure,
// or an empty string. If the plan may switch the infrastructure off, Hooks.PowerCycle is called before, and the infrastructure is observed
// afterwards.
func (p *Pipeline) applyInMode(ctx context.Context, target Target, workspace *openWorkspace, stored plan.Stored, id string) error {
	if stored.Record.Disruption == provider.None {
		workspace.session.SetMode(gateway.KeepPower)
		return workspace.Apply(ctx, stored.File)
	}
	cycles := !target.Deleting() && id != "" && target.Hooks.PowerCycle != nil
	if cycles {
		if err := target.Hooks.PowerCycle(ctx, id); err != nil {
			return err
		}
	}
	workspace.session.SetMode(gateway.ReadWrite)
	if err := workspace.Apply(ctx, stored.File); err != nil {
		return err
	}
	if cycles {
		if _, err := p.observeInfrastructure(ctx, target, id); err != nil {
			log.FromContext(ctx).Error(err, "Failed to read the infrastructure after an apply that may have switched it off", "id", id)
		}
	}
	return nil
}

// verify returns nil if the run may apply the recorded plan. Otherwise it returns the outcome with which the run ends. verify observes
// the infrastructure again, because the infrastructure may have changed since the plan was made.
func (p *Pipeline) verify(ctx context.Context, target Target, stored plan.Stored, state *terraform.State) outcome {
	variables, err := p.Plans.Fingerprint(ctx, target.Variables)
	if err != nil {
		return failed{err: err}
	}
	present := plan.Basis{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial, Variables: variables}
	if !target.Deleting() {
		id := cmp.Or(stored.Record.ImportID(target.Resource), find(state, target.Resource).ID)
		seen, err := p.observeInfrastructure(ctx, target, id)
		switch {
		case err != nil:
			return failed{err: err}
		case seen.prevents(stored.Record) != nil:
			return onHold{*seen.prevents(stored.Record)}
		case seen.NoUpdate != nil && stored.Record.Counts.Update > 0:
			return superseded{seen.NoUpdate.Message}
		}
		present.Observed = filesDigest(seen.Files)
	}
	if err := stored.Record.Verify(stored.File, present); err != nil {
		return superseded{err.Error()}
	}
	return nil
}

// prepareDestruction calls Hooks.BeforeDestroy with id if the object is being deleted.
func prepareDestruction(ctx context.Context, target Target, id string) error {
	if !target.Deleting() || id == "" || target.Hooks.BeforeDestroy == nil {
		return nil
	}
	return target.Hooks.BeforeDestroy(ctx, id)
}

// notReady returns the outcome of a run that did not apply its plan because Hooks.BeforeDestroy returned err.
func notReady(record *plan.Record, err error) outcome {
	var wait *WaitError
	if errors.As(err, &wait) {
		return postponed{record, err}
	}
	return failed{err: fmt.Errorf("preparing the destruction: %w", err)}
}

// applyFailed returns the outcome of a run whose apply failed. If the apply could not write the state, applyFailed stores the state for
// the next run before the directory of this run is removed.
func (p *Pipeline) applyFailed(ctx context.Context, target Target, workspace Workspace, record *plan.Record, cause error) outcome {
	var failure *terraform.Error
	if errors.As(cause, &failure) && failure.ErroredState != nil {
		if err := p.unwritten.put(target.unwrittenName(), failure.ErroredState); err != nil {
			log.FromContext(ctx).Error(err, "A state that could not be written is lost if the manager restarts before the next run")
		}
	}
	o := p.breakDeadLock(ctx, target, workspace, cause)
	if failure, ok := o.(failed); ok {
		failure.applying = record
		return failure
	}
	return o
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
