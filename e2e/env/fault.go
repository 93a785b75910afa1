package env

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// InterruptAPIServer makes the API server of the management cluster unavailable until the caller calls resume. If suspend
// is true, the process is suspended, so that requests get no response. Otherwise it is killed, so that connections are
// refused, and resume starts another process with the same data.
func (e *Environment) InterruptAPIServer(suspend bool) (resume func(context.Context) error, err error) {
	p := e.processes[apiServerIndex]
	if suspend {
		if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
			return nil, fmt.Errorf("suspending %s: %w", p.Name(), err)
		}
		return func(context.Context) error { return syscall.Kill(p.PID(), syscall.SIGCONT) }, nil
	}
	p.Kill()
	return func(ctx context.Context) error {
		p, err := e.plane.startAPIServer(ctx)
		if p != nil {
			e.processes[apiServerIndex] = p
		}
		return err
	}, nil
}

// SuspendManager suspends the manager with SIGSTOP and redirects the webhooks to a free port, as a Service stops sending
// requests to a Pod that does not respond. The caller can then start another manager with another gateway address. resume
// continues the suspended manager and waits until it has exited, which a manager does if another one has become the leader.
func (e *Environment) SuspendManager(ctx context.Context) (resume func(context.Context) error, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.provider == nil || e.provider.manager == nil || !running(e.provider.manager) {
		return nil, errors.New("suspending the manager: it does not run")
	}
	suspended := e.provider.manager
	if err := syscall.Kill(suspended.PID(), syscall.SIGSTOP); err != nil {
		return nil, fmt.Errorf("suspending the manager: %w", err)
	}
	e.provider.manager = nil
	if err := e.moveHooks(ctx); err != nil {
		return nil, fmt.Errorf("redirecting the webhooks of the manager: %w", err)
	}
	return func(ctx context.Context) error { return resumeManager(ctx, suspended) }, nil
}

func resumeManager(ctx context.Context, suspended *process.Process) error {
	if err := syscall.Kill(suspended.PID(), syscall.SIGCONT); err != nil {
		return fmt.Errorf("continuing a suspended manager: %w", err)
	}
	select {
	case <-suspended.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a suspended manager to exit: %w; its output is in %s", ctx.Err(), suspended.Log())
	}
}

// moveHooks changes the port of the provider's webhooks to a free port.
func (e *Environment) moveHooks(ctx context.Context) error {
	ports, err := freeport.Find(host, 1)
	if err != nil {
		return err
	}
	h := e.provider.hooks
	move := func(config *admissionv1.WebhookClientConfig) {
		if config.URL != nil {
			*config.URL = strings.Replace(*config.URL, ":"+strconv.Itoa(h.port)+"/", ":"+strconv.Itoa(ports[0])+"/", 1)
		}
	}
	mutating, validating := &admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{}
	if err := errors.Join(e.Client.List(ctx, mutating), e.Client.List(ctx, validating)); err != nil {
		return err
	}
	var failures []error
	for i := range mutating.Items {
		for j := range mutating.Items[i].Webhooks {
			move(&mutating.Items[i].Webhooks[j].ClientConfig)
		}
		failures = append(failures, e.Client.Update(ctx, &mutating.Items[i]))
	}
	for i := range validating.Items {
		for j := range validating.Items[i].Webhooks {
			move(&validating.Items[i].Webhooks[j].ClientConfig)
		}
		failures = append(failures, e.Client.Update(ctx, &validating.Items[i]))
	}
	h.port = ports[0]
	return errors.Join(failures...)
}

// ManagerRuns reports whether the manager is running.
func (e *Environment) ManagerRuns() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.provider != nil && e.provider.manager != nil && running(e.provider.manager)
}
