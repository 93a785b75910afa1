package nutanixmachine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/providerid"
)

// createIntent records that a request to create the VM of a machine was sent or is about to be sent. It is stored in an
// annotation before the request is sent, and removed when the result of the request is certain. While a machine has a
// create intent, no other VM is created for it.
type createIntent struct {
	// Time is the time at which the intent was recorded.
	Time time.Time `json:"time"`
	// Run identifies the Terraform run that sent the request.
	Run string `json:"run"`
	// Attempt is the number of the attempt through the v4 API (see requestID). It is 0 for other requests.
	Attempt int `json:"attempt,omitempty"`
	// VM is the UUID of the VM once it is known. Task is the UUID of the Prism Central task that creates the VM.
	VM   string `json:"vm,omitempty"`
	Task string `json:"task,omitempty"`
}

// intentOf returns the create intent of a machine, or nil if the machine has none. If the annotation cannot be parsed,
// intentOf returns an intent with no UUID.
//
// CAPNT 0.1 wrote no annotation, but stored the UUID of an accepted create request in status.vmUUID. For such a
// machine, intentOf returns an intent with that UUID until spec.providerID contains the UUID.
func intentOf(machine *infrav1.NutanixMachine) *createIntent {
	value, found := machine.Annotations[infrav1.CreateIntentAnnotation]
	if !found {
		if _, published := providerid.Parse(machine.Spec.ProviderID); published || machine.Status.VMUUID == "" {
			return nil
		}
		return &createIntent{VM: machine.Status.VMUUID}
	}
	intent := &createIntent{}
	if err := json.Unmarshal([]byte(value), intent); err != nil {
		return &createIntent{}
	}
	return intent
}

// setIntent writes the create intent of a machine to its annotation. If intent is nil, setIntent removes the annotation.
func setIntent(machine *infrav1.NutanixMachine, intent *createIntent) error {
	if intent == nil {
		delete(machine.Annotations, infrav1.CreateIntentAnnotation)
		return nil
	}
	value, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("encoding annotation %s: %w", infrav1.CreateIntentAnnotation, err)
	}
	if machine.Annotations == nil {
		machine.Annotations = map[string]string{}
	}
	machine.Annotations[infrav1.CreateIntentAnnotation] = string(value)
	return nil
}

// vmUUIDOf returns the UUID of the VM of a machine, or an empty string if no UUID is known. The UUID comes from
// spec.providerID, after a failover from the status, and before the VM is published from the create request that Prism
// Central accepted.
func vmUUIDOf(machine *infrav1.NutanixMachine) string {
	if uuid, published := providerid.Parse(machine.Spec.ProviderID); published {
		return cmp.Or(machine.Status.VMUUID, uuid)
	}
	if intent := intentOf(machine); intent != nil {
		return intent.VM
	}
	return ""
}

// recordedMachine reads and writes the identity of a NutanixMachine past the cache. With a stale cache, a create intent
// that was just recorded could be missed and a second VM created.
type recordedMachine struct {
	client client.Client
	reader client.Reader
	key    client.ObjectKey
	uid    types.UID
}

func (r *Reconciler) recorded(machine *infrav1.NutanixMachine) recordedMachine {
	return recordedMachine{client: r.Client, reader: r.Reader, key: client.ObjectKeyFromObject(machine), uid: machine.UID}
}

// read reads the machine past the cache.
func (m recordedMachine) read(ctx context.Context) (*infrav1.NutanixMachine, error) {
	machine := &infrav1.NutanixMachine{}
	if err := m.reader.Get(ctx, m.key, machine); err != nil {
		return nil, fmt.Errorf("reading NutanixMachine %s past the cache: %w", m.key, err)
	}
	if machine.UID != m.uid {
		return nil, fmt.Errorf("reading NutanixMachine %s past the cache: it was deleted, and another one has its name", m.key)
	}
	return machine, nil
}

// change calls its parameter change and patches the metadata of the machine. If change returns an error, the machine
// stays as it is. The method retries if another client changes the machine at the same time.
func (m recordedMachine) change(ctx context.Context, change func(machine *infrav1.NutanixMachine) error) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		machine, err := m.read(ctx)
		if err != nil {
			return err
		}
		before := machine.DeepCopy()
		if err := change(machine); err != nil {
			return err
		}
		return m.client.Patch(ctx, machine, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}

// createRecorder implements gateway.CreateRecorder for one run. It writes the create intent of the machine to the
// annotation.
type createRecorder struct {
	machine recordedMachine
	// run identifies the run. now returns the current time.
	run string
	now func() time.Time
	// annotations are written together with the intent. They contain the inputs from which the VM is created.
	annotations map[string]string

	mu sync.Mutex
	// sent is true if this run has sent a create request that Prism Central has not rejected.
	sent bool
	// attempt is the number of the attempt of this run, or 0 if the run has not sent a create request through the v4 API.
	attempt int
}

// requestIDs is the namespace of the UUIDs that requestID returns.
var requestIDs = uuid.MustParse("3d0f6f0e-3b63-4b0e-9d3c-5c0d7a2b8f11")

// requestID returns the request ID of an attempt to create the VM of a machine. Prism Central may recognize a repeated request by its ID.
// It does not have to, because no attempt is sent twice. The number rises with each run that sends a create request. Such a run sends none
// before the create intent of the run before was resolved. The number stays in an annotation when the intent is removed, because an ID
// whose request has failed must not be used again.
func requestID(machine *infrav1.NutanixMachine, attempt int) string {
	return uuid.NewSHA1(requestIDs, fmt.Appendf(nil, "%s/%d", provisioning.WorkspaceKey(machine), attempt)).String()
}

// attempts returns the number of the last attempt to create the VM of a machine through the v4 API.
func attempts(machine *infrav1.NutanixMachine) int {
	number, _ := strconv.Atoi(machine.Annotations[infrav1.CreateAttemptsAnnotation]) // without the annotation there was none
	return number
}

// Sending records the intent before the create request is sent. If the machine has a VM, may have a VM or is being
// deleted, Sending returns an error, and the request is not sent. Sending returns the request ID for the v4 API.
func (c *createRecorder) Sending(ctx context.Context, create gateway.Create) (id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent {
		return "", fmt.Errorf("creating virtual machine %s: this run has sent a create before", create.Name)
	}
	attempt := 0
	err = c.machine.change(ctx, func(machine *infrav1.NutanixMachine) error {
		intent := intentOf(machine)
		_, published := providerid.Parse(machine.Spec.ProviderID)
		switch {
		case !machine.DeletionTimestamp.IsZero():
			return errors.New("the NutanixMachine is being deleted")
		case published:
			return fmt.Errorf("the NutanixMachine has virtual machine %s", vmUUIDOf(machine))
		case intent != nil && intent.Run != c.run:
			return errors.New("it is not known yet what came of an earlier create")
		}
		annotations.AddAnnotations(machine, c.annotations)
		if create.V4 {
			attempt = c.number(machine, intent)
			id = requestID(machine, attempt)
			annotations.AddAnnotations(machine, map[string]string{infrav1.CreateAttemptsAnnotation: strconv.Itoa(attempt)})
		}
		return setIntent(machine, &createIntent{Time: c.now().UTC(), Run: c.run, Attempt: attempt})
	})
	if err != nil {
		return "", fmt.Errorf("recording that virtual machine %s is being created for NutanixMachine %s: %w", create.Name, c.machine.key, err)
	}
	c.sent, c.attempt = true, attempt
	return id, nil
}

// number returns the number of the attempt of this run. intent is the intent of this run, or nil.
func (c *createRecorder) number(machine *infrav1.NutanixMachine, intent *createIntent) int {
	switch {
	case c.attempt != 0: // the request before was rejected, for example with status 429
		return c.attempt
	case intent != nil: // the API server did not respond to the patch that wrote the intent
		return max(intent.Attempt, 1)
	}
	return attempts(machine) + 1
}

// Accepted adds the UUIDs of the VM and the task to the intent. The UUID of the VM may be unknown at first.
func (c *createRecorder) Accepted(ctx context.Context, created gateway.Created) error {
	err := c.machine.change(ctx, func(machine *infrav1.NutanixMachine) error {
		intent := intentOf(machine)
		if intent == nil {
			intent = &createIntent{Time: c.now().UTC()}
		}
		intent.Run, intent.VM, intent.Task = c.run, created.UUID, created.TaskUUID
		return setIntent(machine, intent)
	})
	if err != nil {
		return fmt.Errorf("recording virtual machine %s in NutanixMachine %s: %w", created.UUID, c.machine.key, err)
	}
	return nil
}

// Refused removes the intent, because Prism Central rejected the request and created no VM.
func (c *createRecorder) Refused(ctx context.Context, create gateway.Create) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.machine.change(ctx, func(machine *infrav1.NutanixMachine) error {
		if intent := intentOf(machine); intent != nil && intent.Run != c.run {
			return nil
		}
		return setIntent(machine, nil)
	})
	if err != nil {
		return fmt.Errorf("recording that the create of virtual machine %s for NutanixMachine %s was refused: %w", create.Name, c.machine.key, err)
	}
	c.sent = false
	return nil
}
