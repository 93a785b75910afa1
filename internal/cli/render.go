package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Workspace is a rendered Terraform workspace.
type Workspace struct {
	// Files maps paths with slashes, relative to the directory of the workspace, to contents.
	Files map[string][]byte
	// Digest identifies the inputs of the workspace.
	Digest string
}

func (a *app) renderCommand() *cobra.Command {
	var manifests []string
	var directory string
	command := &cobra.Command{
		Use:   "render [KIND/NAME...]",
		Short: "Write the Terraform workspaces of objects to directories",
		Long: `render writes the Terraform workspace of each object to a directory of its own. The objects are those of the cluster that are named, or
the NutanixMachines and NutanixClusters in the files of -f. The files need also the NutanixCluster of a machine.

Prism Central is not needed, so the workspace of a machine can be rendered once its VM is being created. It lacks the categories that others
put on the VM. The workspace contains the backend of the state. The exit code is 1 if a workspace differs from the one that was last applied.`,
		ValidArgsFunction: a.completeObjects,
		RunE: func(command *cobra.Command, args []string) error {
			objects, clusters, err := a.objectsToRender(command.Context(), args, manifests)
			if err != nil {
				return err
			}
			return a.renderAll(directory, objects, clusters)
		},
	}
	command.Flags().StringSliceVarP(&manifests, "filename", "f", nil, "Files with objects; - is the input")
	command.Flags().StringVarP(&directory, "directory", "d", ".", "Directory in which the directories of the workspaces are created")
	return command
}

// objectsToRender returns the objects to render, and the NutanixClusters of their namespaces.
func (a *app) objectsToRender(ctx context.Context, names, manifests []string) ([]managed, []infrav1.NutanixCluster, error) {
	switch {
	case len(manifests) > 0 && len(names) > 0:
		return nil, nil, errors.New("name objects of the cluster or set -f, not both")
	case len(manifests) > 0:
		return a.manifestsToRender(manifests)
	case len(names) == 0:
		return nil, nil, errors.New("nothing to render: name objects, for example NutanixMachine/prod-md-0-9d8v2, or set -f")
	}
	cluster, err := a.connect()
	if err != nil {
		return nil, nil, err
	}
	var objects []managed
	for _, name := range names {
		object, err := getManaged(ctx, cluster, name)
		if err != nil {
			return nil, nil, err
		}
		objects = append(objects, object)
	}
	clusters := &infrav1.NutanixClusterList{}
	if err := cluster.List(ctx, clusters, client.InNamespace(cluster.Namespace)); err != nil {
		return nil, nil, fmt.Errorf("listing NutanixClusters: %w", err)
	}
	return objects, clusters.Items, nil
}

func (a *app) manifestsToRender(manifests []string) (objects []managed, clusters []infrav1.NutanixCluster, err error) {
	found, err := a.readManifests(manifests)
	if err != nil {
		return nil, nil, err
	}
	for _, object := range found {
		switch object := object.(type) {
		case *infrav1.NutanixMachine:
			objects = append(objects, managed{object, kindMachine, object.Status.Terraform})
		case *infrav1.NutanixCluster:
			objects = append(objects, managed{object, kindCluster, object.Status.Terraform})
			clusters = append(clusters, *object)
		}
	}
	if len(objects) == 0 {
		return nil, nil, errors.New("the files of -f contain no NutanixMachine and no NutanixCluster")
	}
	return objects, clusters, nil
}

func (a *app) renderAll(directory string, objects []managed, clusters []infrav1.NutanixCluster) error {
	differs := false
	for _, object := range objects {
		i := slices.IndexFunc(clusters, func(cluster infrav1.NutanixCluster) bool { return isClusterOfObject(object, cluster) })
		if i < 0 {
			return fmt.Errorf("rendering the workspace of %s: its NutanixCluster was not found", object)
		}
		workspace, err := a.Render(object.Object, &clusters[i])
		if err != nil {
			return err
		}
		path := filepath.Join(directory, strings.ToLower(object.kind)+"-"+object.GetName())
		if err := writeWorkspace(path, workspace); err != nil {
			return err
		}
		note := "nothing was applied yet"
		if applied := object.terraform; applied != nil && applied.WorkspaceDigest == workspace.Digest {
			note = "as it was last applied"
		} else if applied != nil && applied.WorkspaceDigest != "" {
			note, differs = "differs from the workspace that was last applied", true
		}
		fmt.Fprintf(a.Out, "%s: %s (%s)\n", object, path, note)
	}
	if differs {
		return errWaits
	}
	return nil
}

// writeWorkspace writes a workspace into a new directory.
func writeWorkspace(path string, workspace Workspace) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return fmt.Errorf("creating the directory of a workspace: %w", err)
	}
	for name, content := range workspace.Files {
		file := filepath.Join(path, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
