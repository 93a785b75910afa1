package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/terraform"
)

// planName matches the names of plans, which are random.
var planName = regexp.MustCompile(`m-1-[0-9a-f]{6}-[a-z0-9]{5}`)

// transcript records the calls and results of a scenario as lines of text.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

func (j *transcript) log(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, planName.ReplaceAllString(fmt.Sprintf(format, args...), "m-1-plan"))
}

func (j *transcript) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n") + "\n"
}

// double replaces Terraform, its backend and Prism Central. A call succeeds unless fail has set an error for the method.
type double struct {
	*transcript

	// stepping is locked while step writes to the transcript. A run that the step starts writes its lines afterwards.
	stepping sync.Mutex
	mu       sync.Mutex
	errors   map[string][]error
	panics   string
	state    terraform.State
	plan     *tfjson.Plan // result of the next call of Plan
	files    int
	blocked  map[string]chan struct{}
	entered  chan string
	imported string               // ID in the import block of the run
	options  terraform.RunOptions // options of the last run
	pending  *tfjson.Plan         // last plan that Plan returned
	session  *gateway.Session     // last session
}

func newDouble() *double {
	return &double{transcript: &transcript{}, errors: map[string][]error{}, blocked: map[string]chan struct{}{}, entered: make(chan string, 8)}
}

// fail sets the errors that the next calls of a method return, one error per call. A nil error makes a call succeed.
func (d *double) fail(method string, errs ...error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errors[method] = append(d.errors[method], errs...)
}

// block makes the next call of a method wait until release is called or the context of the call ends.
func (d *double) block(method string) (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.blocked[method] = gate
	return func() { close(gate) }
}

// enter writes a call to the transcript and returns the error that fail has set for it.
func (d *double) enter(ctx context.Context, method, line string) error {
	d.log("    %s", line)
	d.mu.Lock()
	gate := d.blocked[method]
	delete(d.blocked, method)
	var err error
	if scripted := d.errors[method]; len(scripted) > 0 {
		err, d.errors[method] = scripted[0], scripted[1:]
	}
	panics := d.panics == method
	d.mu.Unlock()
	if panics {
		panic("scripted")
	}
	if gate != nil {
		d.entered <- method
		select {
		case <-gate:
		case <-ctx.Done():
			err = fmt.Errorf("running terraform %s: %w", method, ctx.Err())
		}
	}
	if err != nil {
		d.log("      ! %v", err)
	}
	return err
}

// addResource adds a resource to the state, as an earlier run would have done.
func (d *double) addResource(address, id string, tainted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Lineage, d.state.Serial = "lineage", d.state.Serial+1
	d.state.Resources = append(d.state.Resources, terraform.Resource{Address: address, ID: id, Tainted: tainted})
}

// afterStep waits until no step writes to the transcript.
func (d *double) afterStep() {
	d.stepping.Lock()
	defer d.stepping.Unlock()
}

// gatewayDouble is the real gateway. In addition, a test can make Open fail.
type gatewayDouble struct {
	*gateway.Gateway
	double *double
}

func (g gatewayDouble) Open(options gateway.RunOptions) (*gateway.Session, error) {
	g.double.afterStep()
	if err := g.double.enter(context.Background(), "session", "session "+options.Mode.String()); err != nil {
		return nil, err
	}
	session, err := g.Gateway.Open(options)
	g.double.mu.Lock()
	defer g.double.mu.Unlock()
	g.double.session = session
	return session, err
}

// Open implements Engine.
func (d *double) Open(ctx context.Context, options terraform.RunOptions) (Workspace, error) {
	if err := d.enter(ctx, "open", "open"); err != nil {
		return nil, err
	}
	for _, variable := range []string{"NUTANIX_ENDPOINT", "NUTANIX_USERNAME", "NUTANIX_PASSWORD"} {
		if options.Env[variable] == "" || strings.Contains(options.Env[variable], password) {
			return nil, errors.New("the environment of the run is wrong: " + variable)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.imported, d.options = "", options
	return d, nil
}

func (d *double) WriteFile(name string, content []byte) error {
	if name != importFile {
		return d.enter(context.Background(), "write", "write "+name+": "+string(content))
	}
	id, _, _ := strings.Cut(strings.SplitN(string(content), `id = "`, 2)[1], `"`)
	d.mu.Lock()
	d.imported = id
	d.mu.Unlock()
	return d.enter(context.Background(), "write", "write "+name+" for "+id)
}

func (d *double) State(ctx context.Context) (*terraform.State, error) {
	d.afterStep()
	if err := d.enter(ctx, "state", "state pull"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.state
	state.Resources = slices.Clone(d.state.Resources)
	return &state, nil
}

func (d *double) Plan(ctx context.Context, options terraform.PlanOptions) (*terraform.Plan, error) {
	if err := d.enter(ctx, "plan", fmt.Sprintf("plan destroy=%t", options.Destroy)); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	planned := d.plan
	d.plan = nil
	if planned == nil {
		planned = d.foresee(options.Destroy)
	}
	d.pending = planned
	d.files++
	file := fmt.Appendf(nil, "plan file %d", d.files)
	for _, text := range []string{string(d.options.Files[moduleFile]), d.options.Variables["user_data"]} {
		if text != "" {
			file = fmt.Appendf(file, "\n%s", text)
		}
	}
	return &terraform.Plan{Bytes: file, JSON: planned,
		HasChanges: len(planned.ResourceChanges)+len(planned.OutputChanges) > 0}, nil
}

// foresee returns the plan that Terraform would make. The plan creates or imports a resource that is missing in the state, and replaces a
// tainted resource. A destroy plan deletes all resources.
func (d *double) foresee(destroy bool) *tfjson.Plan {
	planned := &tfjson.Plan{}
	if destroy {
		for _, resource := range d.state.Resources {
			planned.ResourceChanges = append(planned.ResourceChanges, change(resource.Address, tfjson.ActionDelete))
		}
		return planned
	}
	if len(d.state.Resources) == 0 {
		made := change(machineAddress, tfjson.ActionCreate)
		if d.imported != "" {
			made = change(machineAddress, tfjson.ActionNoop)
			made.Change.Importing = &tfjson.Importing{ID: d.imported}
		}
		planned.ResourceChanges = append(planned.ResourceChanges, made)
	}
	for _, resource := range d.state.Resources {
		if resource.Tainted {
			planned.ResourceChanges = append(planned.ResourceChanges, change(resource.Address, tfjson.ActionDelete, tfjson.ActionCreate))
		}
	}
	return planned
}

func change(address string, actions ...tfjson.Action) *tfjson.ResourceChange {
	return &tfjson.ResourceChange{Address: address, Type: strings.Split(address, ".")[2], Change: &tfjson.Change{Actions: actions}}
}

// updated returns a plan that updates one attribute of the machine.
func updated(attribute string) *tfjson.Plan {
	planned := change(machineAddress, tfjson.ActionUpdate)
	planned.Change.Before, planned.Change.After = map[string]any{attribute: "old"}, map[string]any{attribute: "new"}
	return &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{planned}}
}

func (d *double) Apply(ctx context.Context, plan []byte) error {
	d.mu.Lock()
	mode := d.session.Mode()
	d.mu.Unlock()
	if err := d.enter(ctx, "apply", "apply "+firstLine(plan)+", session "+mode.String()); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, resource := range d.pending.ResourceChanges {
		switch {
		case resource.Change.Actions.Delete(), resource.Change.Actions.Forget():
			d.remove(resource.Address)
		case resource.Change.Importing != nil:
			d.state.Resources = append(d.state.Resources, terraform.Resource{Address: resource.Address, ID: resource.Change.Importing.ID})
		case resource.Change.Actions.Create():
			d.state.Resources = append(d.state.Resources, terraform.Resource{Address: resource.Address, ID: "vm-1"})
		}
	}
	d.state.Lineage, d.state.Serial = "lineage", d.state.Serial+1
	return nil
}

func firstLine(content []byte) string {
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}

func (d *double) remove(address string) {
	d.state.Resources = slices.DeleteFunc(d.state.Resources, func(r terraform.Resource) bool { return r.Address == address })
}

func (d *double) Outputs(ctx context.Context) (map[string]json.RawMessage, error) {
	if err := d.enter(ctx, "outputs", "output"); err != nil {
		return nil, err
	}
	return map[string]json.RawMessage{"vm_uuid": json.RawMessage(`"vm-1"`)}, nil
}

func (d *double) Import(ctx context.Context, address, id string) error {
	if err := d.enter(ctx, "import", "import "+address+" "+id); err != nil {
		return err
	}
	d.addResource(address, id, false)
	return nil
}

func (d *double) Forget(ctx context.Context, addresses ...string) error {
	if err := d.enter(ctx, "forget", "state rm "+strings.Join(addresses, " ")); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Serial++
	for _, address := range addresses {
		d.remove(address)
	}
	return nil
}

func (d *double) Untaint(ctx context.Context, address string) error {
	if err := d.enter(ctx, "untaint", "untaint "+address); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Serial++
	for i := range d.state.Resources {
		d.state.Resources[i].Tainted = d.state.Resources[i].Tainted && d.state.Resources[i].Address != address
	}
	return nil
}

func (d *double) Unlock(ctx context.Context, lockID string) error {
	return d.enter(ctx, "unlock", "force-unlock "+lockID)
}

func (d *double) Push(ctx context.Context, state []byte) error {
	return d.enter(ctx, "push", "state push "+string(state))
}

func (d *double) Pull(ctx context.Context) ([]byte, error) {
	if err := d.enter(ctx, "pull", "state pull with all values"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Appendf(nil, "state %d with %d resources", d.state.Serial, len(d.state.Resources)), nil
}

func (d *double) Close() error {
	d.afterStep()
	return d.enter(context.Background(), "close", "close")
}
