package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Only the manager may change which API an object uses and to which it is being migrated.
func TestValidatePrismAPI(t *testing.T) {
	machine := func(api, migrating, key string) *infrav1.NutanixMachine {
		made := &infrav1.NutanixMachine{}
		made.Annotations = map[string]string{infrav1.PrismAPIAnnotation: api, infrav1.PrismAPIMigrationAnnotation: migrating, infrav1.WorkspaceKeyAnnotation: key}
		return made
	}
	for name, test := range map[string]struct {
		old, updated *infrav1.NutanixMachine
		want         string
	}{
		"unchanged":             {machine("v3", "v4", "k"), machine("v3", "v4", "k"), ""},
		"no key":                {machine("v3", "", ""), machine("v4", "v4", ""), ""},
		"another API":           {machine("v3", "", "k"), machine("v4", "", "k"), "restore v3"},
		"begins a migration":    {machine("v3", "", "k"), machine("v3", "v4", "k"), "set spec.terraform.api"},
		"ends a migration":      {machine("v3", "v4", "k"), machine("v3", "", "k"), "set spec.terraform.api"},
		"redirects a migration": {machine("v3", "v4", "k"), machine("v3", "v3", "k"), "set spec.terraform.api"},
	} {
		t.Run(name, func(t *testing.T) {
			errs := infrav1.ValidatePrismAPI(test.old, test.updated)
			if test.want == "" {
				assert.Empty(t, errs)
				return
			}
			assert.ErrorContains(t, errs.ToAggregate(), test.want)
		})
	}
}

func TestWorkspacePrismAPI(t *testing.T) {
	machine := &infrav1.NutanixMachine{}
	assert.Equal(t, infrav1.PrismAPIV3, infrav1.WorkspacePrismAPI(machine))
	machine.Annotations = map[string]string{infrav1.PrismAPIMigrationAnnotation: "v4"}
	assert.Equal(t, infrav1.PrismAPIV4, infrav1.WorkspacePrismAPI(machine))
	assert.Equal(t, infrav1.PrismAPIV3, infrav1.RecordedPrismAPI(machine))
}
