package stack

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/nutanixmachine"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// Workspace is a directory that contains the Terraform workspace of one machine. Tests run Terraform in it without the
// manager. The workspace uses the same backend as the manager and connects directly to Prism Central.
type Workspace struct {
	dir         string
	executable  string
	environment []string
}

// Workspace exports the workspace of a machine. The caller must call Close on the result.
func (s *Stack) Workspace(ctx context.Context, machine *infrav1.NutanixMachine) (*Workspace, error) {
	exported, err := s.Export(ctx, machine)
	if err != nil {
		return nil, err
	}
	return s.WorkspaceOf(exported.Files)
}

// Export renders the workspace of a machine, as the manager renders it.
func (s *Stack) Export(ctx context.Context, machine *infrav1.NutanixMachine) (renderer.Workspace, error) {
	versions, err := s.ProviderVersions()
	if err != nil {
		return renderer.Workspace{}, err
	}
	exporter := &nutanixmachine.Reconciler{Dependencies: provisioning.Dependencies{
		Client: s.Env.Client, Prism: prism.NewResolver(s.Env.Client, prism.Options{}),
		ProviderVersion: ProviderVersion, ProviderVersions: versions,
	}}
	return exporter.Export(ctx, machine)
}

// WorkspaceOf writes the files of a workspace to a new directory. The caller must call Close on the result.
func (s *Stack) WorkspaceOf(content map[string][]byte) (*Workspace, error) {
	dir, err := os.MkdirTemp(s.options.Dir, "ws-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the workspace: %w", err)
	}
	host, _, err := net.SplitHostPort(s.Prism.Address())
	if err != nil {
		return nil, err
	}
	lock, err := s.lockFile(content)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		".terraform.lock.hcl": lock,
		"../" + filepath.Base(dir) + ".rc": fmt.Appendf(nil,
			"disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", s.mirror()),
		"../" + filepath.Base(dir) + ".pem": s.Prism.CABundle(),
	}
	maps.Copy(files, content)
	w := &Workspace{dir: dir, executable: s.Tool("bin/terraform"), environment: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=" + dir + ".rc", "TF_IN_AUTOMATION=1",
		"KUBE_CONFIG_PATH=" + s.Env.Kubeconfig(), "SSL_CERT_FILE=" + dir + ".pem", "NUTANIX_ENDPOINT=" + host,
		"NUTANIX_USERNAME=" + s.options.Credentials.Username, "NUTANIX_PASSWORD=" + s.options.Credentials.Password,
	}}
	return w, w.write(files)
}

func (w *Workspace) write(files map[string][]byte) error {
	for name, content := range files {
		target := filepath.Join(w.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return fmt.Errorf("writing the workspace: %w", err)
		}
		if err := os.WriteFile(target, content, 0o600); err != nil {
			return fmt.Errorf("writing the workspace: %w", err)
		}
	}
	return nil
}

// Read returns the content of a file in the workspace.
func (w *Workspace) Read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(w.dir, name)) }

// Command returns a command that runs the real binary in the workspace.
func (w *Workspace) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, w.executable, args...)
	command.Dir, command.Env = w.dir, w.environment
	return command
}

// Terraform runs the real binary in the workspace and returns its output.
func (w *Workspace) Terraform(ctx context.Context, args ...string) (string, error) {
	output, err := w.Command(ctx, args...).CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("running terraform %s in an exported workspace: %w", args[0], err)
	}
	return string(output), nil
}

// InitArgs and PlanArgs are the arguments with which a user checks a workspace for changes. With PlanArgs, the exit
// code of Terraform is not 0 if the plan contains changes.
var (
	InitArgs = []string{"init", "-no-color", "-input=false"}
	PlanArgs = []string{"plan", "-no-color", "-input=false", "-lock=false", "-detailed-exitcode"}
)

// PlanClean exports the workspace of a machine and runs terraform plan. If the plan contains changes, PlanClean returns
// an error that contains the plan.
func (s *Stack) PlanClean(ctx context.Context, machine *infrav1.NutanixMachine) error {
	workspace, err := s.Workspace(ctx, machine)
	if err != nil {
		return err
	}
	defer workspace.Close()
	if err := workspace.PlanClean(ctx); err != nil {
		return fmt.Errorf("planning %s: %w", machine.Name, err)
	}
	return nil
}

// PlanClean initializes the workspace and runs terraform plan. If the plan contains changes, PlanClean returns an error
// that contains the plan.
func (w *Workspace) PlanClean(ctx context.Context) error {
	output, err := w.Terraform(ctx, InitArgs...)
	if err == nil {
		output, err = w.Plan(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, output)
	}
	return nil
}

// Plan runs terraform plan and returns its output. If the plan contains changes, Plan also returns an error. Plan
// passes arbitrary bootstrap data, because the module ignores bootstrap data once the machine exists.
func (w *Workspace) Plan(ctx context.Context) (string, error) {
	args := PlanArgs
	if _, err := os.Stat(filepath.Join(w.dir, "variables.tf")); err == nil {
		args = append(slices.Clone(args), "-var="+renderer.UserDataVariable+"=")
	}
	return w.Terraform(ctx, args...)
}

// Close removes the directory of the workspace.
func (w *Workspace) Close() {
	for _, path := range []string{w.dir, w.dir + ".rc", w.dir + ".pem"} {
		_ = os.RemoveAll(path)
	}
}
