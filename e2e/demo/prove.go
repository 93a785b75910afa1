package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/nutanixmachine"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// providerVersion is the version of the provider in the mirror.
const providerVersion = "1.9.5"

// prove takes one machine and runs Terraform in its workspace, as its owner could: the state in its real backend, and a
// plan against Prism Central that finds nothing to change.
func (d *Demo) prove(ctx context.Context) error {
	machines := &infrav1.NutanixMachineList{}
	if err := d.stack.Env.Client.List(ctx, machines); err != nil {
		return fmt.Errorf("listing NutanixMachines: %w", err)
	}
	if len(machines.Items) == 0 {
		return nil
	}
	machine := &machines.Items[0]
	d.Out.Phase("Terraform in the workspace of NutanixMachine %s", machine.Name)
	reconciler := &nutanixmachine.Reconciler{Dependencies: provisioning.Dependencies{
		Client: d.stack.Env.Client, Prism: prism.NewResolver(d.stack.Env.Client, prism.Options{}), ProviderVersion: providerVersion,
	}}
	workspace, err := reconciler.Export(ctx, machine)
	if err != nil {
		return err
	}
	dir := filepath.Join(d.dir, "workspace")
	if err := write(dir, workspace); err != nil {
		return err
	}
	if err := os.WriteFile(d.caFile(), d.stack.Prism.CABundle(), 0o600); err != nil {
		return fmt.Errorf("writing the CA of Prism Central: %w", err)
	}
	for _, args := range [][]string{{"init"}, {"state", "list"}, {"plan", "-detailed-exitcode", "-var=" + renderer.UserDataVariable + "="}} {
		if err := d.terraform(ctx, dir, args...); err != nil {
			return err
		}
	}
	d.Out.Done("terraform plan says that nothing is to be changed")
	return nil
}

func write(dir string, workspace renderer.Workspace) error {
	for name, content := range workspace.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("writing the workspace: %w", err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing the workspace: %w", err)
		}
	}
	return nil
}

// terraform runs the real binary, with nothing of ours in between, and shows the command and what it prints.
func (d *Demo) terraform(ctx context.Context, dir string, args ...string) error {
	cli := filepath.Join(d.dir, "terraform.rc")
	mirror := fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", d.stack.Tool("mirror"))
	if err := os.WriteFile(cli, []byte(mirror), 0o600); err != nil {
		return fmt.Errorf("writing the configuration of terraform: %w", err)
	}
	host, _, _ := strings.Cut(d.stack.Prism.Address(), ":")
	credentials := d.stack.Options().Credentials
	command := exec.CommandContext(ctx, d.stack.Tool("bin/terraform"), append(args, "-no-color")...)
	if args[0] == "state" {
		command = exec.CommandContext(ctx, d.stack.Tool("bin/terraform"), args...)
	}
	command.Dir = dir
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir, "TF_CLI_CONFIG_FILE=" + cli, "TF_IN_AUTOMATION=1",
		"KUBE_CONFIG_PATH=" + d.stack.Env.Kubeconfig(), "SSL_CERT_FILE=" + d.caFile(),
		"NUTANIX_ENDPOINT=" + host, "NUTANIX_USERNAME=" + credentials.Username, "NUTANIX_PASSWORD=" + credentials.Password,
	}
	d.Out.Line("$ terraform %s", strings.Join(args, " "))
	output, err := command.CombinedOutput()
	for line := range strings.Lines(string(output)) {
		if strings.TrimSpace(line) != "" {
			d.Out.Line("  %s", strings.TrimRight(line, "\n"))
		}
	}
	if err != nil {
		return fmt.Errorf("running terraform %s in the workspace: %w", args[0], err)
	}
	return nil
}

func (d *Demo) caFile() string { return filepath.Join(d.dir, "prism-central-ca.pem") }

// workloadKubeconfig writes the kubeconfig of a workload cluster to a file.
func (d *Demo) workloadKubeconfig(ctx context.Context, cluster *clusterv1.Cluster) (string, error) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: cluster.Name + "-kubeconfig"}
	if err := d.stack.Env.Client.Get(ctx, key, secret); err != nil {
		return "", fmt.Errorf("getting the kubeconfig of %s: %w", cluster.Name, err)
	}
	path := filepath.Join(d.dir, cluster.Name+".kubeconfig")
	return path, os.WriteFile(path, secret.Data["value"], 0o600)
}
