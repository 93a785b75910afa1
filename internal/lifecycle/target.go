package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// Target is an object with its workspace, as a controller passes it to the pipeline.
type Target struct {
	// Object is the custom resource. It owns the Terraform state, and events are recorded for it.
	Object client.Object
	// Kind is the object's kind, for example NutanixMachine.
	Kind string
	Desired
	Remembered Remembered
	// Observation is what this reconcile has observed of the infrastructure, or nil if it observed nothing.
	Observation *Observation
	Hooks       Hooks
	// runs contains the runs that may hold the lock of the state. It is nil if the manager stores the state.
	runs *stateRuns
}

// Desired describes the desired infrastructure. Pipeline.Idle uses only CheckInterval.
type Desired struct {
	// Workspace is the rendered workspace. An object that is being deleted also needs one, with the provider and the backend.
	Workspace renderer.Workspace
	// ProviderVersion is the exact version of the provider in the workspace. If it is empty, Pipeline.ProviderVersion applies.
	ProviderVersion string
	// Backend is where the Terraform state is stored.
	Backend Backend
	// Variables maps sensitive variables to their values. The values are written only to the directory of the run.
	Variables map[string]string
	// UserData is the user data of a machine that is being deleted, in base64. It makes stored plan files smaller. It may be empty.
	UserData string
	// Upstream is the Prism Central to which the gateway forwards the requests of the run.
	Upstream gateway.Upstream
	// Resource is the address of the resource that Hooks.Identify identifies. It is empty for kinds without this hook.
	Resource string
	// Former lists the addresses that the same infrastructure has in the workspace with the other Prism API. If the state contains one of
	// them, a run moves the infrastructure with Hooks.Migrate before anything else.
	Former []string
	// Parts are further resources that a run imports or removes from the state before it makes a plan.
	Parts []Part
	// Shared lists the addresses of resources that other objects may share. A plan neither replaces nor destroys them. If a shared resource
	// is tainted, its taint is removed before a plan. Before a destroy, all shared resources are removed from the state.
	Shared []string
	// Retain means that the infrastructure stays when the object is deleted. The workspace is exported and not destroyed.
	Retain bool
	// Approval contains the rules and the objects that decide about plans. Origin says who and what caused the present workspace.
	Approval plan.Context
	Origin   infrav1.PlanOrigin
	// CheckInterval is how often the infrastructure is compared with what the last plan has seen. If it has changed, or if it cannot be
	// compared, a plan compares it with the workspace. Zero means never.
	CheckInterval time.Duration
}

// Remembered contains the results of earlier runs from the object's status. If this process has newer results, they take precedence.
type Remembered struct {
	// Applied is the result of the last successful run.
	Applied Applied
	// Workspace is the digest of the workspace that was applied last, according to an annotation. clusterctl move carries the annotation and
	// not the status, so Applied is empty afterwards. The digest determines only the cause of the next plan.
	Workspace string
	// Current means that the spec has not changed since Applied, so the present workspace would have the same digest.
	Current bool
	// Outdated means that the digest in Applied has another version than the digests that this release computes.
	Outdated bool
	// Unfinished means that another run is needed, because the last one failed or was superseded.
	Unfinished bool
	// Published means that the spec of the object identifies its infrastructure. A workspace was then applied before, even if the status was
	// lost: clusterctl move does not carry the status.
	Published bool
	// Checked is the time of the last plan or apply. Zero means that there was none. Digest is the digest of the infrastructure for which
	// that plan found no changes (see Observation.Digest), or empty.
	Checked time.Time
	Digest  string
}

// Hooks are functions of a kind that a run calls. They do not run within a reconcile. A hook that is nil is not called.
type Hooks struct {
	// Identify returns the ID of the existing infrastructure to import as Desired.Resource, or an empty string if no import is needed. known
	// is the ID in the state, or empty. A returned ID replaces known in the state. Identify returns a *ForeignError if the ID in the state
	// or in the object identifies infrastructure that belongs to another object. It returns a *WaitError if it cannot identify the
	// infrastructure yet. It returns an *AbsentError if it is certain that the infrastructure in the state does not exist, and the run then
	// removes it from the state. Any other error fails the run.
	//
	// For an object that is being deleted, Identify returns the ID of the infrastructure that has to be destroyed next. It returns an
	// *AbsentError if it is certain that no infrastructure is left. After an *AbsentError or a *ForeignError, the run removes the known
	// resource from the state.
	Identify func(ctx context.Context, known string) (importID string, err error)
	// Migrate returns how the resources at Desired.Former become resources of the workspace. former are those that the state contains. Migrate
	// returns a *plan.MigrationError if they must not be moved now. The hook is nil if nobody has asked for a migration. The run then fails if
	// the state contains such a resource.
	Migrate func(ctx context.Context, former []terraform.Resource) (plan.Migration, error)
	// Observe returns an observation of the infrastructure with the ID id, which is empty for kinds without Desired.Resource. A run calls it
	// before every plan of an object that has infrastructure and is not being deleted, and again before the apply.
	Observe func(ctx context.Context, id string) (Observation, error)
	// BeforeDestroy prepares the infrastructure with the ID id for its destruction. A run calls it before it applies a destroy plan. After a
	// *WaitError the plan stays recorded and is applied later. Any other error fails the run.
	BeforeDestroy func(ctx context.Context, id string) error
	// Remaining reports whether more infrastructure has to be destroyed. A run calls it after it has applied a destroy plan.
	Remaining func() bool
	// Deleted is called with the UUID of a virtual machine when Prism Central has accepted the deletion of that machine.
	Deleted func(uuid string)
	// Export stores the workspace, its state and the files that Observe rendered. state is in Terraform's own format and contains secrets. A
	// run calls Export for an object with Desired.Retain if infrastructure exists.
	Export func(ctx context.Context, state []byte, observed map[string][]byte) error
	// Revision returns the Git revision that caused the present workspace, or an empty string. A run calls it when it records a plan.
	Revision func(ctx context.Context) string
	// Healthy reports whether the infrastructure with the ID id works although it is tainted in the state. If so, the run removes the taint,
	// so that Terraform does not replace the infrastructure.
	Healthy func(ctx context.Context, id string) (bool, error)
	// PowerCycle is called before a run applies a plan that may switch off the infrastructure with the ID id. After an error the plan is not
	// applied. Observe is called after the apply.
	PowerCycle func(ctx context.Context, id string) error
	// Creates records a virtual machine that a run creates, before Terraform writes the machine to the state.
	Creates gateway.CreateRecorder
}

// Observation describes existing infrastructure. It contains only facts that are not part of the workspace.
type Observation struct {
	// Found means that the infrastructure exists, so a plan must not create it.
	Found bool
	// NoPlan is the reason why nothing is planned now, for example because the virtual machine is switched off. It is nil if nothing
	// prevents a plan.
	NoPlan *plan.Hold
	// Interrupted says that an apply that was interrupted has switched the infrastructure off. Only a plan that may switch it on is applied.
	// It is nil otherwise.
	Interrupted *plan.Hold
	// SwitchOn means that the infrastructure is off because the run that creates it, or an apply that switches it off and on again, was
	// interrupted. A plan switches it on without a decision. Files contain the power state ON.
	SwitchOn bool
	// NoUpdate is the reason why a plan that updates the infrastructure has to wait. It is nil if the plan may be applied.
	NoUpdate *plan.Hold
	// Digest identifies everything in the infrastructure that Terraform manages. As long as it stays the same, a plan for the same workspace
	// has the same result. It is empty if the infrastructure cannot be compared.
	Digest string
	// Files are workspace files that were rendered from observed values. The workspace digest does not cover them.
	Files map[string][]byte
}

// prevents returns the reason why a plan with the record must not be applied to the infrastructure, or nil.
func (o Observation) prevents(record plan.Record) *plan.Hold {
	if o.NoPlan == nil && record.Disruption == provider.None {
		return o.Interrupted
	}
	return o.NoPlan
}

// Applied identifies the workspace and the state that matched the infrastructure after the last successful run.
type Applied struct {
	// WorkspaceDigest is the digest of the workspace.
	WorkspaceDigest string
	// Lineage and Serial identify the Terraform state.
	Lineage string
	Serial  int64
}

// Key returns the key of the target. An object has another key than a deleted object with the same name.
func (t Target) Key() string {
	return fmt.Sprintf("%s/%s/%s/%s", t.Kind, t.Object.GetNamespace(), t.Object.GetName(), t.Object.GetUID())
}

// texts returns what plan files of the target contain and need not be stored with them: the files of the module, which releases can change,
// and the sensitive variables. The other files contain the names of entities, which change more often.
func (t Target) texts() plan.Texts {
	var texts plan.Texts
	for _, name := range slices.Sorted(maps.Keys(t.Workspace.Files)) {
		if strings.Contains(name, "/") {
			texts = append(texts, string(t.Workspace.Files[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Variables)) {
		texts = append(texts, t.Variables[name])
	}
	return append(texts, t.UserData)
}

// Deleting reports whether the object is being deleted.
func (t Target) Deleting() bool { return !t.Object.GetDeletionTimestamp().IsZero() }
