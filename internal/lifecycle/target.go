package lifecycle

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/renderer"
)

// Target is one object with its workspace, as a kind hands it to the pipeline.
type Target struct {
	// Object is the custom resource; events go to it, and the Terraform state is owned by it.
	Object client.Object
	// Kind is the object's kind, for example NutanixMachine.
	Kind string
	// Workspace is what was rendered. A target that is being deleted needs its provider and backend all the same.
	Workspace renderer.Workspace
	// Backend is where the Terraform state lives.
	Backend Backend
	// Variables are the values of sensitive variables by name. They never leave the run's directory.
	Variables map[string]string
	// Upstream is the Prism Central that the run's gateway session reaches.
	Upstream gateway.Upstream
	// Resource is the address whose identity Identify establishes; empty for kinds without one.
	Resource string
	// Forget lists addresses that are removed from the state before a destroy, because others may share what they manage.
	Forget []string
	// Hooks are the kind's answers to questions that come up during a run.
	Hooks Hooks
	// Applied is what the object's status remembers of the last apply.
	Applied Applied
	// Unsettled says that the object's status calls the last run unfinished. It counts until a run of this process has
	// established what is applied.
	Unsettled bool
	// Lost says that the object's status calls the infrastructure lost.
	Lost bool
	// Checked is when the infrastructure was last compared with the workspace, and CheckInterval how often that is due;
	// zero never.
	Checked       time.Time
	CheckInterval time.Duration
}

// Hooks are called from a run, outside of any reconcile. A nil hook is not called.
type Hooks struct {
	// Identify says which existing infrastructure Resource is. known is the ID that the state holds, or empty. It returns
	// the ID to import, if need be in place of what is known, or empty when there is nothing to import; a *LostError when
	// what is known disappeared; any other error stops the run.
	Identify func(ctx context.Context, known string) (importID string, err error)
	// Healthy reports whether the infrastructure of that ID is fit to be kept although the state calls it tainted.
	Healthy func(ctx context.Context, id string) (bool, error)
	// Created is told of a virtual machine the moment Prism Central accepts its creation, before Terraform knows.
	Created func(ctx context.Context, created gateway.Created) error
}

// Applied is what remains of an apply, or of a plan that found nothing to do.
type Applied struct {
	// WorkspaceDigest is the digest of the workspace that the infrastructure now agrees with.
	WorkspaceDigest string
	// Lineage and Serial identify the Terraform state.
	Lineage string
	Serial  int64
}

// Key identifies the target among all targets, those of deleted namesakes included.
func (t Target) Key() string {
	return fmt.Sprintf("%s/%s/%s/%s", t.Kind, t.Object.GetNamespace(), t.Object.GetName(), t.Object.GetUID())
}

// Deleting reports whether the object is being deleted.
func (t Target) Deleting() bool { return !t.Object.GetDeletionTimestamp().IsZero() }

// LostError says that infrastructure which existed disappeared without us.
type LostError struct {
	// ID is the identifier it had, for a virtual machine its UUID.
	ID string
}

func (e *LostError) Error() string {
	return fmt.Sprintf("finding virtual machine %s: it disappeared from Prism Central without being deleted by this object", e.ID)
}

// ConflictError says that something is where ours should be made.
type ConflictError struct {
	Message string
	// Ours says that it carries our mark, so that a deletion must not leave it behind.
	Ours bool
}

func (e *ConflictError) Error() string { return e.Message }
