package cli

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// newRenderProgram returns a program with a renderer whose workspaces contain only the names of object and cluster.
func newRenderProgram(t *testing.T, objects ...client.Object) *program {
	t.Helper()
	program := newStateProgram(t, objects...)
	program.config.Render = func(object client.Object, cluster *infrav1.NutanixCluster) (Workspace, error) {
		if object.GetName() == "unresolved" {
			return Workspace{}, errors.New("its names are not resolved yet")
		}
		return Workspace{Digest: "v1:1", Files: map[string][]byte{"modules/m/main.tf": []byte(object.GetName() + " of " + cluster.Name)}}, nil
	}
	return program
}

func TestRender(t *testing.T) {
	tests := map[string]struct {
		applied, note string
		code          int
	}{
		"new":     {"", "nothing was applied yet", 0},
		"same":    {"v1:1", "as it was last applied", 0},
		"another": {"v1:2", "differs from the workspace that was last applied", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects := stateObjects(t, nil)
			objects[1].(*infrav1.NutanixMachine).Status.Terraform.WorkspaceDigest = test.applied
			program, directory := newRenderProgram(t, objects...), t.TempDir()
			render := []string{"render", "NutanixMachine/prod-md-0-9d8v2", "-d", directory}
			assert.Equal(t, test.code, program.run(t, render...), program.err.String())
			path := filepath.Join(directory, "nutanixmachine-prod-md-0-9d8v2")
			assert.Equal(t, "NutanixMachine/prod-md-0-9d8v2: "+path+" ("+test.note+")\n", program.out.String())
			content, err := os.ReadFile(filepath.Join(path, "modules", "m", "main.tf"))
			require.NoError(t, err)
			assert.Equal(t, "prod-md-0-9d8v2 of prod", string(content))
			assert.Equal(t, 2, program.run(t, render...), "an existing directory is not overwritten")
		})
	}
}

func TestRenderManifest(t *testing.T) {
	program, directory := newRenderProgram(t), t.TempDir()
	program.config.Connect = nil
	path := writeObjects(t, stateObjects(t, nil))
	assert.Equal(t, 0, program.run(t, "render", "-f", path, "-d", directory), program.err.String())
	assert.DirExists(t, filepath.Join(directory, "nutanixcluster-prod"))
	assert.DirExists(t, filepath.Join(directory, "nutanixmachine-prod-md-0-9d8v2"))
}

func TestRenderOfInvalidObjects(t *testing.T) {
	unresolved := machine("unresolved", "prod-a", false)
	unresolved.Labels = map[string]string{"cluster.x-k8s.io/cluster-name": "prod"}
	program := newRenderProgram(t, append(stateObjects(t, nil), unresolved, machine("alone", "prod-a", false))...)
	tests := map[string][]string{
		"its names are not resolved yet":       {"NutanixMachine/unresolved"},
		"its NutanixCluster was not found":     {"NutanixMachine/alone"},
		"name objects of the cluster or set":   {"NutanixCluster/prod", "-f", "x.yaml"},
		"nothing to render":                    {},
		"no such file or directory":            {"-f", "x.yaml"},
		"contain no NutanixMachine and no Nut": {"-f", fridayPolicy},
	}
	for message, args := range tests {
		t.Run(message, func(t *testing.T) {
			assert.Equal(t, 2, program.run(t, append([]string{"render", "-d", t.TempDir()}, args...)...))
			assert.Contains(t, program.err.String(), message)
		})
	}
}
