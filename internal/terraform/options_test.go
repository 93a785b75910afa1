package terraform

import (
	"testing"

	"github.com/hashicorp/terraform-exec/tfexec"
	"github.com/stretchr/testify/assert"
)

// reattached is the option with which commands use the provider of a run.
var reattached = tfexec.Reattach(tfexec.ReattachInfo{ProviderSource: {Pid: 1}})

func TestPlanOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options   PlanOptions
		variables string
		want      []tfexec.PlanOption
	}{
		"plain":   {want: []tfexec.PlanOption{tfexec.Out("out"), reattached}},
		"destroy": {options: PlanOptions{Destroy: true}, want: []tfexec.PlanOption{tfexec.Out("out"), reattached, tfexec.Destroy(true)}},
		"all": {options: PlanOptions{Destroy: true}, variables: "vars",
			want: []tfexec.PlanOption{tfexec.Out("out"), reattached, tfexec.VarFile("vars"), tfexec.Destroy(true)}},
	} {
		assert.Equal(t, test.want, planOptions(test.options, reattached, test.variables, "out"), name)
	}
}

func TestOtherOptions(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []tfexec.InitOption{tfexec.Upgrade(false), reattached}, initOptions(reattached))
	assert.Equal(t, []tfexec.ApplyOption{reattached, tfexec.DirOrPlan("plan")}, applyOptions(reattached, "plan"), "a plan file takes no variables")
	assert.Equal(t, []tfexec.ImportOption{reattached}, importOptions(reattached, ""))
	assert.Equal(t, []tfexec.ImportOption{reattached, tfexec.VarFile("vars")}, importOptions(reattached, "vars"))
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
