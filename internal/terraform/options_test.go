package terraform

import (
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
	"github.com/stretchr/testify/assert"
)

func TestPlanOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options   PlanOptions
		variables string
		want      []tfexec.PlanOption
	}{
		"plain":   {want: []tfexec.PlanOption{tfexec.Out("out")}},
		"destroy": {options: PlanOptions{Destroy: true}, want: []tfexec.PlanOption{tfexec.Out("out"), tfexec.Destroy(true)}},
		"all": {options: PlanOptions{Destroy: true}, variables: "vars",
			want: []tfexec.PlanOption{tfexec.Out("out"), tfexec.VarFile("vars"), tfexec.Destroy(true)}},
	} {
		assert.Equal(t, test.want, planOptions(test.options, test.variables, "out"), name)
	}
}

func TestOtherOptions(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []tfexec.InitOption{tfexec.Upgrade(false)}, initOptions())
	assert.Equal(t, []tfexec.ApplyOption{tfexec.DirOrPlan("plan")}, applyOptions("plan"), "a plan file takes no variables")
	assert.Empty(t, importOptions(""))
	assert.Equal(t, []tfexec.ImportOption{tfexec.VarFile("vars")}, importOptions("vars"))
	assert.Equal(t, []tfexec.StatePushCmdOption{tfexec.Lock(true)}, pushOptions(true))
}

func TestCLIConfig(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `disable_checkpoint = true

provider_installation {
  filesystem_mirror {
    path    = "/opt/mirror"
    include = ["registry.terraform.io/nutanix/nutanix"]
  }
}
`, string(cliConfig("/opt/mirror")))
}
