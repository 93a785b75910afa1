package terraform

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlanApplyReadBack(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), oneResource("one"))})

		state, err := run.State(t.Context())
		require.NoError(t, err)
		assert.True(t, state.Empty())

		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.True(t, plan.HasChanges)
		requireStored(t, plan.Bytes)
		require.Len(t, plan.JSON.ResourceChanges, 1)
		assert.Equal(t, "terraform_data.this", plan.JSON.ResourceChanges[0].Address)
		assert.True(t, plan.JSON.ResourceChanges[0].Change.Actions.Create())
		require.NoError(t, run.Apply(t.Context(), plan.Bytes))

		state, err = run.State(t.Context())
		require.NoError(t, err)
		require.Len(t, state.Resources, 1)
		assert.Equal(t, "terraform_data.this", state.Resources[0].Address)
		assert.Equal(t, "terraform_data", state.Resources[0].Type)
		assert.NotEmpty(t, state.Resources[0].ID)
		assert.NotEmpty(t, state.Lineage)
		assert.Positive(t, state.Serial)

		outputs, err := run.Outputs(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[string]json.RawMessage{"input": json.RawMessage(`"one"`)}, outputs)

		plan, err = run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.False(t, plan.HasChanges, "a workspace that was just applied plans clean")
		assert.Nil(t, plan.JSON, "terraform show has nothing to show")

		plan, err = run.Plan(t.Context(), PlanOptions{Destroy: true})
		require.NoError(t, err)
		require.NoError(t, run.Apply(t.Context(), plan.Bytes))
		state, err = run.State(t.Context())
		require.NoError(t, err)
		assert.True(t, state.Empty())
	})
}

// requireStored requires that a plan file is a ZIP archive that contains the plan and the workspace without compression.
func requireStored(t *testing.T, plan []byte) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(plan), int64(len(plan)))
	require.NoError(t, err)
	var names []string
	for _, file := range archive.File {
		assert.Equal(t, zip.Store, file.Method, file.Name)
		names = append(names, file.Name)
	}
	assert.Subset(t, names, []string{"tfplan", "tfstate", "tfconfig/m-/main.tf"})
}

func TestPlanFileThatIsNoArchiveStaysAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.tfplan")
	for name, content := range map[string]string{"encrypted": `{"encrypted_data":"c2VjcmV0"}`, "empty": ""} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		read, err := readPlan(path)
		require.NoError(t, err, name)
		assert.Equal(t, content, string(read))
	}
}

func TestStateCommands(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		files := workspace(server.backend(), `
resource "terraform_data" "kept" {}
resource "terraform_data" "failing" {
  provisioner "local-exec" {
    command = "exit 3"
  }
}
`)
		run := open(t, terraform, RunOptions{Files: files})
		require.NoError(t, run.Import(t.Context(), "terraform_data.kept", "known"))
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		err = run.Apply(t.Context(), plan.Bytes)
		require.ErrorContains(t, err, "exit status 3")

		require.Equal(t, []Resource{
			{Address: "terraform_data.failing", Type: "terraform_data", Tainted: true},
			{Address: "terraform_data.kept", Type: "terraform_data", ID: "known"},
		}, withoutIDOf(resources(t, run), "terraform_data.failing"))

		require.NoError(t, run.Untaint(t.Context(), "terraform_data.failing"))
		assert.False(t, resources(t, run)[0].Tainted)

		older := server.stored()
		require.NoError(t, run.Forget(t.Context(), "terraform_data.kept", "terraform_data.never_there"))
		assert.Len(t, resources(t, run), 1)
		err = run.Push(t.Context(), older)
		require.ErrorContains(t, err, "serial", "an older state never replaces a newer one")
		assert.Equal(t, Invalid, ClassOf(err))
	})
}

// TestRefused checks that Refused distinguishes a push that was rejected from a push that can be retried.
func TestRefused(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), oneResource("one"))})
		apply(t, run)
		kept := server.stored()
		for name, change := range map[string]func(state map[string]any){
			"an older one":                 func(state map[string]any) { state["serial"] = 0 },
			"another with the same serial": func(state map[string]any) { state["outputs"] = map[string]any{} },
			"one of another lineage":       func(state map[string]any) { state["lineage"] = "another" },
		} {
			var state map[string]any
			require.NoError(t, json.Unmarshal(kept, &state))
			change(state)
			content, err := json.Marshal(state)
			require.NoError(t, err)
			err = run.Push(t.Context(), content)
			require.Error(t, err, name)
			assert.True(t, Refused(fmt.Errorf("wrapped: %w", err)), "%s: %v", name, err)
		}
		assert.Equal(t, kept, server.stored())
		assert.False(t, Refused(run.Push(t.Context(), []byte("no state"))))
		assert.False(t, Refused(&Error{Verb: "apply", Message: "cannot import state with serial 1"}))
		assert.False(t, Refused(nil))
	})
}

func TestPushRestoresState(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		first, second := newStateServer(t), newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(first.backend(), oneResource("one"))})
		apply(t, run)

		copied := open(t, terraform, RunOptions{Files: workspace(second.backend(), oneResource("one"))})
		require.NoError(t, copied.Push(t.Context(), first.stored()))
		plan, err := copied.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.False(t, plan.HasChanges)
	})
}

func TestWriteFileAddsImportBlock(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		run := open(t, terraform, RunOptions{Files: workspace(newStateServer(t).backend(), `resource "terraform_data" "this" {}`)})
		require.NoError(t, run.WriteFile("import.tf", []byte("import {\n  to = terraform_data.this\n  id = \"known\"\n}\n")))
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.True(t, plan.HasChanges, "an import is a change to record")
		require.NotNil(t, plan.JSON.ResourceChanges[0].Change.Importing)
		require.NoError(t, run.Apply(t.Context(), plan.Bytes))
		assert.Equal(t, "known", resources(t, run)[0].ID)
		require.Error(t, run.WriteFile("../outside.tf", nil), "a name must stay inside the workspace")
	})
}

func TestProviderIsInstalledFromMirror(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		run := open(t, terraform, RunOptions{Files: workspace(`
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "1.9.5"
    }
  }
}
provider "nutanix" {}
`, `resource "nutanix_category_key" "this" { name = "a" }`), Env: map[string]string{
			// The provider requires an address and credentials, but a plan that only creates resources sends no requests to Prism Central.
			"NUTANIX_ENDPOINT": "127.0.0.1", "NUTANIX_USERNAME": "nobody", "NUTANIX_PASSWORD": "nothing",
		}})
		planned, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.Equal(t, "nutanix_category_key.this", planned.JSON.ResourceChanges[0].Address)

		_, err = terraform.Open(t.Context(), RunOptions{Files: workspace(`
terraform {
  required_providers {
    random = { source = "registry.terraform.io/hashicorp/random" }
  }
}`, "")})
		require.Error(t, err, "no other provider may be installed, from nowhere")
		assert.Equal(t, Invalid, ClassOf(err))
	})
}

func TestClosedRunReturnsErrors(t *testing.T) {
	t.Parallel()
	run := open(t, newTerraform(t, Config{}), RunOptions{Files: workspace("", oneResource("one"))})
	require.NoError(t, run.Close())
	require.NoError(t, run.Close(), "Close may be called more than once")
	_, err := run.Plan(t.Context(), PlanOptions{})
	require.ErrorIs(t, err, errClosed)
	require.ErrorIs(t, run.WriteFile("a.tf", nil), errClosed)
}

func resources(t *testing.T, run *Run) []Resource {
	t.Helper()
	state, err := run.State(t.Context())
	require.NoError(t, err)
	return state.Resources
}

// withoutIDOf returns resources with an empty ID for the resource at address, because this ID is random.
func withoutIDOf(resources []Resource, address string) []Resource {
	for i := range resources {
		if resources[i].Address == address {
			resources[i].ID = ""
		}
	}
	return resources
}
