package controllertest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// Terraform is a double of Terraform with the http backend. It reads and writes states through the gateway, as the real
// Terraform does. It creates, imports and destroys VMs in Prism.
type Terraform struct {
	Prism *Prism
	// Addresses are the IP addresses of the VMs that Terraform creates. If Addresses is nil, the n-th VM gets 10.0.0.n.
	Addresses []string

	mu        sync.Mutex
	holds     map[string]hold
	errors    map[string][]error
	runs      []string
	variables map[string]string
	files     map[string][]byte
	version   string
	// others contains the states in backends other than kubernetes, by backend.tf.
	others map[string]*[]byte
}

// Fail sets the errors that the next calls of a verb return. The verbs are open, plan and apply.
func (t *Terraform) Fail(verb string, errs ...error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors == nil {
		t.errors = map[string][]error{}
	}
	t.errors[verb] = append(t.errors[verb], errs...)
}

// Runs returns the verbs that were called since the previous call of Runs.
func (t *Terraform) Runs() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	runs := t.runs
	t.runs = nil
	return runs
}

// Variables returns the sensitive variables and the workspace files of the last run.
func (t *Terraform) Variables() (variables map[string]string, files map[string][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.variables), maps.Clone(t.files)
}

// ProviderVersion returns the version of the provider in the last run.
func (t *Terraform) ProviderVersion() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version
}

// hold contains the channels with which a test delays a call.
type hold struct{ entered, released chan struct{} }

// Hold delays the next call of verb until the test calls release. entered is closed as soon as the delayed call starts
// to wait.
func (t *Terraform) Hold(verb string) (entered <-chan struct{}, release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := hold{make(chan struct{}), make(chan struct{})}
	t.holds = map[string]hold{verb: held}
	return held.entered, sync.OnceFunc(func() { close(held.released) })
}

// wait blocks if a test has called Hold for verb, until the test releases the call.
func (t *Terraform) wait(verb string) {
	t.mu.Lock()
	held, ok := t.holds[verb]
	delete(t.holds, verb)
	t.mu.Unlock()
	if ok {
		close(held.entered)
		<-held.released
	}
}

func (t *Terraform) enter(verb string) error {
	t.wait(verb)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = append(t.runs, verb)
	if scripted := t.errors[verb]; len(scripted) > 0 {
		t.errors[verb] = scripted[1:]
		return scripted[0]
	}
	return nil
}

var (
	nameArgument    = regexp.MustCompile(`\n  name += "(.*)"`)
	textArgument    = regexp.MustCompile(`\n  description += "(.*)"`)
	elementArgument = regexp.MustCompile(`\n  prism_element_uuid += "([^"]*)"`)
	importedID      = regexp.MustCompile(`id += "(.*)"`)
)

// Open implements lifecycle.Engine.
func (t *Terraform) Open(_ context.Context, options terraform.RunOptions) (lifecycle.Workspace, error) {
	if err := t.enter("open"); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.variables, t.files, t.version = maps.Clone(options.Variables), maps.Clone(options.Files), options.ProviderVersion
	var other *[]byte
	if backend := string(options.Files["backend.tf"]); options.Env["TF_HTTP_ADDRESS"] == "" {
		if t.others == nil {
			t.others = map[string]*[]byte{}
		}
		if t.others[backend] == nil {
			t.others[backend] = &[]byte{}
		}
		other = t.others[backend]
	}
	return &workspace{terraform: t, files: maps.Clone(options.Files), session: newSession(options, other)}, nil
}

// workspace implements the methods of lifecycle.Workspace that need a Terraform process if the manager stores the state,
// and State and Outputs for other backends.
type workspace struct {
	lifecycle.Workspace
	terraform *Terraform
	files     map[string][]byte
	session   *session
}

func (w *workspace) WriteFile(name string, content []byte) error {
	w.files[name] = content
	return nil
}

func (w *workspace) State(ctx context.Context) (*terraform.State, error) {
	return w.session.readState(ctx)
}

func (w *workspace) Outputs(ctx context.Context) (map[string]json.RawMessage, error) {
	content, err := w.session.pull(ctx)
	if err != nil {
		return nil, err
	}
	return state.Outputs(content)
}

// address returns the address of the only resource in the workspace.
func (w *workspace) address() string {
	switch isMachine, isV4 := w.isMachine(), w.isV4(); {
	case isMachine && isV4:
		return renderer.MachineAddressV4
	case isMachine:
		return renderer.MachineAddress
	case isV4:
		return renderer.CategoryAddressV4
	}
	return renderer.CategoryValueAddress
}

func (w *workspace) isMachine() bool {
	return strings.Contains(string(w.files["main.tf"]), `module "machine"`)
}

func (w *workspace) isV4() bool {
	return w.files[renderer.PowerStateFile] != nil || strings.Contains(string(w.files["outputs.tf"]), "category_uuid")
}

func (w *workspace) Plan(ctx context.Context, options terraform.PlanOptions) (*terraform.Plan, error) {
	if err := w.terraform.enter("plan"); err != nil {
		return nil, err
	}
	state, err := w.session.readState(ctx)
	if err != nil {
		return nil, err
	}
	planned := &tfjson.Plan{}
	change := &tfjson.Change{}
	switch imported := importedID.FindSubmatch(w.files["import.tf"]); {
	case options.Destroy && !state.Empty():
		change.Actions = tfjson.Actions{tfjson.ActionDelete}
	case options.Destroy:
		return &terraform.Plan{JSON: planned}, nil
	case w.migrates(state):
		return w.planMigration(state)
	case !state.Empty() && w.isV4() && !w.exists(state.Resources[0].ID):
		return nil, &terraform.Error{Verb: "plan", Class: terraform.Transient, Message: "the resource is not found"} // as provider 2.4.2
	case !state.Empty():
		change.Before, change.After = w.differences(state.Resources[0].ID)
		if len(object(change.Before)) == 0 {
			return &terraform.Plan{JSON: planned}, nil
		}
		change.Actions = tfjson.Actions{tfjson.ActionUpdate}
	case imported != nil:
		change.Actions, change.Importing = tfjson.Actions{tfjson.ActionNoop}, &tfjson.Importing{ID: string(imported[1])}
		if before, after := w.differences(change.Importing.ID); w.isV4() && len(before) > 0 {
			change.Actions, change.Before, change.After = tfjson.Actions{tfjson.ActionUpdate}, before, after
		}
	default:
		change.Actions = tfjson.Actions{tfjson.ActionCreate}
	}
	planned.ResourceChanges = []*tfjson.ResourceChange{{Address: w.address(), Type: strings.Split(w.address(), ".")[2], Change: change}}
	file, err := json.Marshal(change)
	return &terraform.Plan{Bytes: file, JSON: planned, HasChanges: true}, err
}

func (w *workspace) Apply(ctx context.Context, plan []byte) error {
	if err := w.terraform.enter("apply"); err != nil {
		return err
	}
	if resources := w.migrated(plan); resources != nil {
		return w.change(ctx, func(state *terraform.State) { state.Resources = resources })
	}
	change := &tfjson.Change{}
	if err := json.Unmarshal(plan, change); err != nil {
		return err
	}
	made := terraform.Resource{Address: w.address()}
	switch {
	case change.Actions.Delete():
		return w.destroy(ctx)
	case change.Actions.Update() && change.Importing == nil:
		return w.change(ctx, func(state *terraform.State) { w.update(ctx, state.Resources[0].ID, object(change.After)) })
	case change.Importing != nil:
		made.ID = change.Importing.ID
		w.update(ctx, made.ID, object(change.After))
	case made.Address == renderer.CategoryAddressV4:
		id, err := w.createCategory(ctx)
		if err != nil {
			return &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: err.Error()}
		}
		made.ID = id
	case w.isMachine() && w.isV4():
		id, err := w.createV4(ctx)
		if id != "" && err != nil { // the provider taints a VM that it cannot switch on
			made.ID, made.Tainted = id, true
			if err := w.change(ctx, func(state *terraform.State) { state.Resources = append(state.Resources, made) }); err != nil {
				return err
			}
		}
		if err != nil {
			return &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: err.Error()}
		}
		made.ID = id
	case w.isMachine():
		id, err := w.create(ctx)
		if err != nil {
			return &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: err.Error()}
		}
		made.ID = id
	default:
		made.ID = "category"
	}
	return w.change(ctx, func(state *terraform.State) { state.Resources = append(state.Resources, made) })
}

// destroy deletes the VM in the state. Like the provider, destroy succeeds if Prism does not find the VM.
func (w *workspace) destroy(ctx context.Context) error {
	state, err := w.session.readState(ctx)
	if err != nil {
		return err
	}
	for _, resource := range state.Resources {
		if w.isV4() {
			if err := w.destroyV4(ctx, resource); err != nil {
				return &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: err.Error()}
			}
			continue
		}
		if resource.Address != renderer.MachineAddress {
			continue
		}
		if _, err := w.session.send(ctx, http.MethodDelete, "vms/"+resource.ID, nil); err != nil && !strings.Contains(err.Error(), "ENTITY_NOT_FOUND") {
			return &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: err.Error()}
		}
	}
	return w.change(ctx, func(state *terraform.State) { state.Resources = nil })
}

// create creates the VM that main.tf describes.
func (w *workspace) create(ctx context.Context) (string, error) {
	main := w.files["main.tf"]
	vm := VM{Name: string(nameArgument.FindSubmatch(main)[1]), Description: string(textArgument.FindSubmatch(main)[1]),
		PrismElement: string(elementArgument.FindSubmatch(main)[1]), Addresses: w.terraform.Addresses}
	vm.MemoryMiB, vm.Categories, _ = w.desired()
	for key, value := range vm.Categories {
		vm.CategoryUUIDs = append(vm.CategoryUUIDs, CategoryUUID(key, value))
	}
	body, err := json.Marshal(vm)
	if err != nil {
		return "", err
	}
	reply, err := w.session.send(ctx, http.MethodPost, "vms", body)
	if err != nil {
		return "", err
	}
	var made struct {
		Metadata struct{ UUID string }
		Status   struct {
			ExecutionContext struct {
				TaskUUID string `json:"task_uuid"`
			} `json:"execution_context"`
		}
	}
	if err := json.Unmarshal(reply, &made); err != nil {
		return "", err
	}
	task, err := w.session.send(ctx, http.MethodGet, "tasks/"+made.Status.ExecutionContext.TaskUUID, nil)
	if err == nil && strings.Contains(string(task), "FAILED") {
		err = errors.New("the task of the create failed")
	}
	return made.Metadata.UUID, err
}

// change reads the state, calls change, and writes the state with the outputs of the module.
func (w *workspace) change(ctx context.Context, change func(*terraform.State)) error {
	state, err := w.session.readState(ctx)
	if err != nil {
		return err
	}
	change(state)
	return w.session.writeState(ctx, state, w.outputs(state))
}

// outputs returns the outputs of the module for the machine in the state.
func (w *workspace) outputs(state *terraform.State) map[string]any {
	if state.Empty() {
		return nil
	}
	addresses := []string{}
	for _, vm := range w.terraform.Prism.VMs() {
		if vm.UUID == state.Resources[0].ID {
			addresses = append(addresses, vm.Addresses...)
		}
	}
	return map[string]any{"vm_uuid": state.Resources[0].ID, "addresses": addresses}
}

func (w *workspace) Import(ctx context.Context, address, id string) error {
	_ = w.terraform.enter("import")
	return w.change(ctx, func(state *terraform.State) {
		state.Resources = append(state.Resources, terraform.Resource{Address: address, ID: id})
	})
}

func (w *workspace) Close() error { return nil }
