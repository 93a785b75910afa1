// Package module tests the Terraform modules with the real Terraform, with every version of the provider in the mirror,
// and with a simulated Prism Central.
package module

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/renderer"
)

const (
	password = "your-password"
	userData = "I2Nsb3VkLWNvbmZpZwo=" // base64
)

// fixture contains a simulated Prism Central, and the provider and the Prism API that the test uses.
type fixture struct {
	t          *testing.T
	prism      *prismsim.Server
	provider   toolbox.Provider
	generation *provider.Generation
	api        renderer.API
}

// eachProvider runs a test once for each provider that was built and for each API that this provider supports. Each run has its own Prism
// Central.
func eachProvider(t *testing.T, test func(f *fixture)) {
	t.Helper()
	for _, built := range toolbox.Providers(t) {
		if built.HasV3() {
			t.Run(built.String(), func(t *testing.T) {
				t.Parallel()
				test(newFixture(t, built, renderer.APIV3))
			})
		}
		if built.HasV4() {
			t.Run(built.String()+" with v4", func(t *testing.T) {
				t.Parallel()
				test(newFixture(t, built, renderer.APIV4))
			})
		}
	}
}

// eachV4Provider is like eachProvider, but runs a test for the v4 API only.
func eachV4Provider(t *testing.T, test func(f *fixture)) {
	t.Helper()
	for _, built := range toolbox.V4Providers(t) {
		t.Run(built.String(), func(t *testing.T) {
			t.Parallel()
			test(newFixture(t, built, renderer.APIV4))
		})
	}
}

func newFixture(t *testing.T, built toolbox.Provider, api renderer.API) *fixture {
	t.Helper()
	generation, err := provider.ForVersion(built.Version)
	require.NoError(t, err)
	network, err := stack.FreeNetwork() // provider 1.9.5 supports only port 9440
	require.NoError(t, err)
	content, err := os.ReadFile("../prismsim/testdata/inventory.yaml")
	require.NoError(t, err)
	inventory, err := prismsim.ParseInventory([]byte(network.Move(string(content))))
	require.NoError(t, err)
	prism, err := prismsim.New(prismsim.Options{Inventory: inventory, Address: network.Prism(), Password: password})
	require.NoError(t, err)
	t.Cleanup(prism.Close)
	prism.RecordBodies(true)
	require.NoError(t, prism.Start(context.Background()))
	return &fixture{t: t, prism: prism, provider: built, generation: generation, api: api}
}

// ref returns a reference to the entity with the given kind and name in the inventory.
func (f *fixture) ref(kind, name string) renderer.Ref {
	f.t.Helper()
	uuid, err := f.prism.UUID(kind, name)
	require.NoError(f.t, err)
	return renderer.Ref{UUID: uuid, Name: name}
}

// machine returns a machine that has only the required inputs and cloud-init data.
func (f *fixture) machine() renderer.Machine {
	image := f.ref("image", "ubuntu-22.04-kube-v1.36.3")
	machine := renderer.Machine{
		Name: "machine", Description: "the mark", PrismElement: f.ref("cluster", "nutanix-cluster-1"),
		Subnets: []renderer.Ref{f.ref("subnet", "vm-network")}, Sockets: 2, VCPUsPerSocket: 1, MemoryMiB: 4096,
		Disks:     []renderer.Disk{{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, SizeMiB: 40960, Image: &image}},
		CloudInit: true,
	}
	f.setCategories(&machine, map[string]string{"Environment": "Testing"})
	return machine
}

// setCategories sets the categories of a machine in the form of the API.
func (f *fixture) setCategories(machine *renderer.Machine, categories map[string]string) {
	f.t.Helper()
	if f.api == renderer.APIV3 {
		machine.Categories = categories
		return
	}
	machine.CategoryRefs = nil
	for key, value := range categories {
		machine.CategoryRefs = append(machine.CategoryRefs, f.category(key, value))
	}
}

// category returns a reference to a category.
func (f *fixture) category(key, value string) renderer.Ref {
	f.t.Helper()
	uuid, err := f.prism.CategoryID(key, value)
	require.NoError(f.t, err)
	return renderer.Ref{UUID: uuid, Name: key + ": " + value}
}

// settings returns the settings of workspaces with a local state.
func (f *fixture) settings() renderer.Settings {
	return renderer.Settings{API: f.api, ProviderVersion: f.provider.Version, Backend: renderer.Backend{Type: "local"}}
}

// render renders a machine for the provider version and the API of the fixture.
func (f *fixture) render(machine renderer.Machine) renderer.Workspace {
	f.t.Helper()
	workspace, err := renderer.RenderMachine(f.settings(), machine)
	require.NoError(f.t, err)
	return workspace
}

// directory is a directory that contains a Terraform workspace.
type directory struct {
	f           *fixture
	path        string
	environment []string
}

// open writes a workspace to a new directory and runs terraform init in the directory.
func (f *fixture) open(workspace renderer.Workspace) *directory {
	f.t.Helper()
	d := &directory{f: f, path: f.t.TempDir()}
	host, _, err := net.SplitHostPort(f.prism.Address())
	require.NoError(f.t, err)
	home := f.t.TempDir()
	cliConfig := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", f.provider.Mirror(f.t))
	require.NoError(f.t, os.WriteFile(filepath.Join(home, "terraform.rc"), []byte(cliConfig), 0o600))
	require.NoError(f.t, os.WriteFile(filepath.Join(home, "ca.pem"), f.prism.CABundle(), 0o600))
	d.environment = []string{
		"HOME=" + home, "PATH=/usr/bin:/bin", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "SSL_CERT_FILE=" + filepath.Join(home, "ca.pem"),
		"TF_CLI_CONFIG_FILE=" + filepath.Join(home, "terraform.rc"),
		"NUTANIX_ENDPOINT=" + host, "NUTANIX_USERNAME=" + f.prism.Username(), "NUTANIX_PASSWORD=" + password,
		"TF_VAR_" + renderer.UserDataVariable + "=" + userData,
	}
	d.write(".terraform.lock.hcl", f.provider.Lock(f.t))
	d.writeAll(workspace)
	d.run("init", "-input=false", "-no-color")
	return d
}

func (d *directory) writeAll(workspace renderer.Workspace) {
	d.f.t.Helper()
	for name, content := range workspace.Files {
		d.write(name, content)
	}
}

func (d *directory) write(name string, content []byte) {
	d.f.t.Helper()
	target := filepath.Join(d.path, filepath.FromSlash(name))
	require.NoError(d.f.t, os.MkdirAll(filepath.Dir(target), 0o700))
	require.NoError(d.f.t, os.WriteFile(target, content, 0o600))
}

// run runs terraform and returns its standard output.
func (d *directory) run(arguments ...string) []byte {
	d.f.t.Helper()
	command := exec.CommandContext(d.f.t.Context(), toolbox.Path(d.f.t, "bin/terraform"), arguments...)
	command.Dir, command.Env = d.path, d.environment
	output, err := command.Output()
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output does not wrap it
		require.NoError(d.f.t, err, "running terraform %v:\n%s%s", arguments, output, exit.Stderr)
	}
	require.NoError(d.f.t, err)
	return output
}

// plan runs terraform plan with further options. It returns the plan file, and the plan in JSON form.
func (d *directory) plan(options ...string) ([]byte, *tfjson.Plan) {
	d.f.t.Helper()
	d.run(append([]string{"plan", "-input=false", "-no-color", "-out=plan.tfplan"}, options...)...)
	file, err := os.ReadFile(filepath.Join(d.path, "plan.tfplan"))
	require.NoError(d.f.t, err)
	planned := &tfjson.Plan{}
	require.NoError(d.f.t, json.Unmarshal(d.run("show", "-json", "plan.tfplan"), planned))
	return file, planned
}

// record runs terraform plan with further options and returns the record of the plan.
func (d *directory) record(options ...string) plan.Record {
	d.f.t.Helper()
	file, planned := d.plan(options...)
	return plan.Build(plan.Origin{Generation: d.f.generation}, file, planned)
}

// plansClean requires that a plan changes nothing. Otherwise terraform exits with status 2, and the test fails with the plan.
func (d *directory) plansClean() {
	d.f.t.Helper()
	d.run("plan", "-detailed-exitcode", "-input=false", "-no-color")
}

func (d *directory) apply() {
	d.f.t.Helper()
	d.run("apply", "-input=false", "-no-color", "plan.tfplan")
}

// destroy destroys everything in the state.
func (d *directory) destroy() {
	d.f.t.Helper()
	d.plan("-destroy")
	d.apply()
}

// outputs returns the outputs in the state.
func (d *directory) outputs() map[string]any {
	d.f.t.Helper()
	var outputs map[string]struct{ Value any }
	require.NoError(d.f.t, json.Unmarshal(d.run("output", "-json"), &outputs))
	values := map[string]any{}
	for name, output := range outputs {
		values[name] = output.Value
	}
	return values
}

// fails runs terraform, requires that it fails, and returns its messages.
func (d *directory) fails(arguments ...string) string {
	d.f.t.Helper()
	command := exec.CommandContext(d.f.t.Context(), toolbox.Path(d.f.t, "bin/terraform"), arguments...)
	command.Dir, command.Env = d.path, d.environment
	output, err := command.CombinedOutput()
	require.Error(d.f.t, err, "running terraform %v:\n%s", arguments, output)
	return string(output)
}
