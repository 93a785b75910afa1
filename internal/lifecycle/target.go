package lifecycle

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/renderer"
)

// Target is one object with its workspace, as a controller passes it to the pipeline.
type Target struct {
	// Object is the custom resource. Events are recorded for it, and it owns the Terraform state.
	Object client.Object
	// Kind is the object's kind, for example NutanixMachine.
	Kind string
	Desired
	Remembered Remembered
	// Observation is what this reconcile has observed of the infrastructure; nil if it has not.
	Observation *Observation
	Hooks       Hooks
}

// Desired is what the object wants. A target that Pipeline.Idle is asked about needs only CheckInterval.
type Desired struct {
	// Workspace is the rendered workspace. A target that is being deleted needs its provider and backend, too.
	Workspace renderer.Workspace
	// ProviderVersion is the exact version of the provider that the workspace requires. If it is empty, it is the pipeline's.
	ProviderVersion string
	// Backend is where the Terraform state is stored.
	Backend Backend
	// Variables are the values of sensitive variables by name. They are written to the run's directory and nowhere else.
	Variables map[string]string
	// Upstream is the Prism Central that the run's gateway session reaches.
	Upstream gateway.Upstream
	// Resource is the address whose identity Hooks.Identify establishes. It is empty for kinds that have no such hook.
	Resource string
	// Shared lists the addresses of resources that other objects may share. A plan neither replaces nor destroys them: a
	// tainted one is untainted, and before a destroy they are removed from the state.
	Shared []string
	// Retain says that the infrastructure stays when the object is deleted. The workspace is exported instead of destroyed.
	Retain bool
	// CheckInterval is how often the infrastructure is compared with the workspace; zero means never.
	CheckInterval time.Duration
}

// Remembered is what the object's status remembers of earlier runs. What a run of this process has established replaces it.
type Remembered struct {
	// Applied is what the last successful run established.
	Applied Applied
	// Current says that the spec has not changed since Applied, so that rendering would give the same workspace.
	Current bool
	// Outdated says that the digest in Applied has another version than this release computes.
	Outdated bool
	// Unfinished says that the last run left work to do.
	Unfinished bool
	// Checked is when the infrastructure was last compared with the workspace; zero means never.
	Checked time.Time
}

// Hooks are what the kind answers during a run, outside of any reconcile. A nil hook is not called.
type Hooks struct {
	// Identify returns the ID of the existing infrastructure that Desired.Resource has to become, or an empty string if the
	// plan needs no import. known is the ID in the state, or empty; a returned ID replaces it. Identify returns a *ForeignError
	// if what the state or the object knows belongs to another object, and a *WaitError if the identity is not certain yet. Any
	// other error fails the run.
	//
	// For an object that is being deleted, Identify returns what has to be destroyed next, and an *AbsentError if it is certain
	// that nothing is left. After an *AbsentError or a *ForeignError the known resource is removed from the state.
	Identify func(ctx context.Context, known string) (importID string, err error)
	// Observe reports what the infrastructure of that ID is like now. It is called before every plan of a living object that
	// has such infrastructure, and again before the apply.
	Observe func(ctx context.Context, id string) (Observation, error)
	// BeforeDestroy prepares the infrastructure of that ID for its destruction. It is called before a destroy plan is applied. A
	// *WaitError keeps the plan, which is applied later. Any other error fails the run.
	BeforeDestroy func(ctx context.Context, id string) error
	// Remaining reports, after a destroy plan was applied, whether more has to be destroyed.
	Remaining func() bool
	// Deleted is called with the UUID of each virtual machine whose deletion Prism Central has accepted.
	Deleted func(uuid string)
	// Export stores the workspace with its state, which is in Terraform's own format and contains secrets, and with the files
	// that Observe rendered. It is called for an object with Desired.Retain, and not if no infrastructure exists.
	Export func(ctx context.Context, state []byte, observed map[string][]byte) error
	// Healthy reports whether infrastructure that the state calls tainted is kept.
	Healthy func(ctx context.Context, id string) (bool, error)
	// Creates records the virtual machines that a run creates, before Terraform knows them.
	Creates gateway.CreateRecorder
}

// Observation is what existing infrastructure is like apart from what its workspace says.
type Observation struct {
	// Found says that the infrastructure exists, so that a plan must not create it.
	Found bool
	// NoPlan is why nothing is planned now, for example because the virtual machine is switched off; nil if plans are made.
	NoPlan *plan.Hold
	// NoUpdate is why a plan that updates the infrastructure waits; nil if it may be applied.
	NoUpdate *plan.Hold
	// Files are workspace files that were rendered from what was observed. The workspace digest does not cover them.
	Files map[string][]byte
}

// Applied describes the workspace and the state that the infrastructure agrees with.
type Applied struct {
	// WorkspaceDigest is the digest of the workspace.
	WorkspaceDigest string
	// Lineage and Serial identify the Terraform state.
	Lineage string
	Serial  int64
}

// Key identifies the target. It differs from the key of a deleted object of the same name.
func (t Target) Key() string {
	return fmt.Sprintf("%s/%s/%s/%s", t.Kind, t.Object.GetNamespace(), t.Object.GetName(), t.Object.GetUID())
}

// Deleting reports whether the object is being deleted.
func (t Target) Deleting() bool { return !t.Object.GetDeletionTimestamp().IsZero() }
