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

// Target is an object with its workspace, as a controller passes it to the pipeline.
type Target struct {
	// Object is the custom resource. It owns the Terraform state and gets the events.
	Object client.Object
	// Kind is the object's kind, for example NutanixMachine.
	Kind string
	Desired
	Remembered Remembered
	// Observation is what this reconcile has observed of the infrastructure; nil if it observed nothing.
	Observation *Observation
	Hooks       Hooks
}

// Desired is the desired infrastructure. Pipeline.Idle needs only CheckInterval.
type Desired struct {
	// Workspace is the rendered workspace. For an object that is being deleted, it needs the provider and the backend, too.
	Workspace renderer.Workspace
	// ProviderVersion is the exact version of the provider in the workspace. If it is empty, the version of the pipeline applies.
	ProviderVersion string
	// Backend is where the Terraform state is stored.
	Backend Backend
	// Variables are the values of sensitive variables by name. They are written only to the run's directory.
	Variables map[string]string
	// Upstream is the Prism Central that the run's gateway session reaches.
	Upstream gateway.Upstream
	// Resource is the address of the resource that Hooks.Identify identifies. It is empty for kinds without that hook.
	Resource string
	// Shared lists the addresses of resources that other objects may share. A plan neither replaces nor destroys them. A tainted
	// shared resource is untainted, and all are removed from the state before a destroy.
	Shared []string
	// Retain says that the infrastructure stays when the object is deleted. The workspace is exported instead of destroyed.
	Retain bool
	// CheckInterval is how often the infrastructure is compared with the workspace; zero means never.
	CheckInterval time.Duration
}

// Remembered contains the results of earlier runs in the object's status. Results of a run of this process replace them.
type Remembered struct {
	// Applied is the result of the last successful run.
	Applied Applied
	// Current says that the spec has not changed since Applied, so that the present workspace has the same digest.
	Current bool
	// Outdated says that the digest in Applied has another version than this release computes.
	Outdated bool
	// Unfinished says that the last run left work to do.
	Unfinished bool
	// Checked is the time of the last comparison of infrastructure and workspace; zero means never.
	Checked time.Time
}

// Hooks are the functions of a kind that a run calls, outside of any reconcile. A nil hook is not called.
type Hooks struct {
	// Identify returns the ID of the existing infrastructure to import as Desired.Resource, or an empty string if the plan needs
	// no import. known is the ID in the state, or empty; a returned ID replaces it. Identify returns a *ForeignError if the
	// infrastructure that the state or the object names belongs to another object. It returns a *WaitError if the identity is not
	// certain yet. Any other error fails the run.
	//
	// For an object that is being deleted, Identify returns the ID of the infrastructure that has to be destroyed next, and an
	// *AbsentError if it is certain that none is left. After an *AbsentError or a *ForeignError the known resource is removed from
	// the state.
	Identify func(ctx context.Context, known string) (importID string, err error)
	// Observe returns the observation of the infrastructure with that ID. It is called before every plan of an object that is not
	// being deleted and has such infrastructure, and again before the apply.
	Observe func(ctx context.Context, id string) (Observation, error)
	// BeforeDestroy prepares the infrastructure with that ID for its destruction. It is called before a destroy plan is applied.
	// After a *WaitError the plan is kept and applied later. Any other error fails the run.
	BeforeDestroy func(ctx context.Context, id string) error
	// Remaining is called after a destroy plan was applied. It reports whether more infrastructure has to be destroyed.
	Remaining func() bool
	// Deleted is called with the UUID of each virtual machine whose deletion Prism Central has accepted.
	Deleted func(uuid string)
	// Export stores the workspace, its state and the files that Observe rendered. The state is in Terraform's own format and
	// contains secrets. Export is called for an object with Desired.Retain if infrastructure exists.
	Export func(ctx context.Context, state []byte, observed map[string][]byte) error
	// Healthy reports whether infrastructure that is tainted in the state is kept.
	Healthy func(ctx context.Context, id string) (bool, error)
	// Creates records the virtual machines that a run creates before Terraform writes them to the state.
	Creates gateway.CreateRecorder
}

// Observation is what was observed of infrastructure and is not part of its workspace.
type Observation struct {
	// Found says that the infrastructure exists, so that a plan must not create it.
	Found bool
	// NoPlan is the reason why nothing is planned now, for example that the virtual machine is switched off; nil if plans are
	// made.
	NoPlan *plan.Hold
	// NoUpdate is the reason why a plan that updates the infrastructure waits; nil if it may be applied.
	NoUpdate *plan.Hold
	// Files are workspace files that were rendered from the observation. The workspace digest does not cover them.
	Files map[string][]byte
}

// Applied identifies the workspace and the state that agree with the infrastructure.
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
