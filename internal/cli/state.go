package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
	"github.com/capnt/capnt/internal/state"
)

// kubernetesBackend is the type of the default backend, which stores states in Secrets.
const kubernetesBackend = "kubernetes"

func (a *app) stateCommand() *cobra.Command {
	return group("state", "Read Terraform states", a.stateListCommand(),
		a.stateReadCommand("show", "Show the resources in the Terraform state of an object", a.showState),
		a.stateReadCommand("pull", "Print the Terraform state of an object, as terraform state pull does", a.pullState))
}

func (a *app) stateListCommand() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List the objects that have a Terraform state, with its backend",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := a.connect()
			if err != nil {
				return err
			}
			options, err := listOptions(cluster, all, "")
			if err != nil {
				return err
			}
			objects, clusters, err := managedObjects(command.Context(), cluster, options...)
			if err != nil {
				return err
			}
			return a.writeStates(objects, clusters)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "List the objects of all namespaces")
	return command
}

func (a *app) writeStates(objects []managed, clusters []infrav1.NutanixCluster) error {
	rows := [][]string{{"NAMESPACE", "OBJECT", "BACKEND", "STATE", "SERIAL", "PROVIDER", "API"}}
	for _, object := range objects {
		if object.terraform == nil || object.terraform.Lineage == "" {
			continue
		}
		rows = append(rows, []string{object.GetNamespace(), object.String(), backendType(backendOf(object, clusters)),
			a.StateSuffix(object.kind, object.Object), strconv.FormatInt(object.terraform.Serial, 10), object.terraform.ProviderVersion,
			string(infrav1.RecordedPrismAPI(object))})
	}
	if len(rows) == 1 {
		fmt.Fprintln(a.Err, "No Terraform states found.")
		return nil
	}
	return display.Table(a.Out, rows)
}

// stateReadCommand returns a command that reads the state of one object.
func (a *app) stateReadCommand(use, short string, write func(content []byte) error) *cobra.Command {
	return &cobra.Command{
		Use:   use + " KIND/NAME",
		Short: short,
		Long: short + `.

The command reads the state without a lock. If the state is in another backend than kubernetes, the command prints the commands of
Terraform that read it, because only their user has the credentials of the backend.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeObjects,
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := a.connect()
			if err != nil {
				return err
			}
			content, err := a.readState(command.Context(), cluster, args[0])
			if err != nil {
				return err
			}
			return write(content)
		},
	}
}

// readState returns the Terraform state of an object.
func (a *app) readState(ctx context.Context, cluster *Cluster, reference string) ([]byte, error) {
	object, err := getManaged(ctx, cluster, reference)
	if err != nil {
		return nil, err
	}
	clusters := &infrav1.NutanixClusterList{}
	if err := cluster.List(ctx, clusters, client.InNamespace(cluster.Namespace)); err != nil {
		return nil, fmt.Errorf("listing NutanixClusters: %w", err)
	}
	suffix := a.StateSuffix(object.kind, object.Object)
	if backend := backendOf(object, clusters.Items); backendType(backend) != kubernetesBackend {
		return nil, fmt.Errorf("the state of %s is in backend %s: run\n%s", object, backend.Type,
			pullCommands(backend, object.GetNamespace(), object.GetName(), suffix))
	}
	content, err := state.Read(ctx, cluster, state.Key{Namespace: object.GetNamespace(), Suffix: suffix})
	switch {
	case err != nil:
		return nil, err
	case len(content) == 0:
		return nil, fmt.Errorf("%s has no Terraform state: nothing has been created for it yet, or it was destroyed", object)
	}
	return content, nil
}

// pullCommands returns the commands of a shell that print the state in another backend.
func pullCommands(backend *infrav1.TerraformBackend, namespace, name, suffix string) string {
	arguments := backend.Arguments(namespace, name, suffix)
	var configuration strings.Builder
	for _, argument := range slices.Sorted(maps.Keys(arguments)) {
		fmt.Fprintf(&configuration, " -backend-config=%s", quote(argument+"="+arguments[argument]))
	}
	return fmt.Sprintf(`  cd "$(mktemp -d)" && echo 'terraform { backend "%s" {} }' >backend.tf
  terraform init%s   # needs the credentials of the backend
  terraform state pull`, backend.Type, configuration.String())
}

// quote quotes a word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func (a *app) pullState(content []byte) error {
	_, err := a.Out.Write(content)
	return err
}

func (a *app) showState(content []byte) error {
	return display.State(a.Out, a.style(), nil, content)
}
