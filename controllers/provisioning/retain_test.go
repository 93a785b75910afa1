package provisioning

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
)

// The exported workspaces of two objects must not have the same name.
func TestExportName(t *testing.T) {
	const kind = "NutanixMachine"
	keyed := func(key string) func(machine *infrav1.NutanixMachine) {
		return func(machine *infrav1.NutanixMachine) {
			machine.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: key}
		}
	}
	name := ExportName(machine(keyed("key-1")), kind)
	assert.Equal(t, name, ExportName(machine(keyed("key-1")), kind))
	assert.True(t, strings.HasPrefix(name, "m-terraform-"), name)
	assert.NotEqual(t, name, ExportName(machine(keyed("key-2")), kind), "an object of the same name is created later")
	assert.NotEqual(t, name, ExportName(machine(keyed("key-1")), "NutanixCluster"))

	long := machine(keyed("key-1"), func(machine *infrav1.NutanixMachine) { machine.Name = strings.Repeat("m", 253) })
	assert.Empty(t, validation.NameIsDNSSubdomain(ExportName(long, kind), false))
}

// If the Secret cannot be created, the export fails and is repeated. A Secret that an earlier run has created stays.
func TestExportFailures(t *testing.T) {
	for name, test := range map[string]struct {
		refusal error
		fails   bool
	}{
		"created":        {nil, false},
		"created before": {apierrors.NewAlreadyExists(corev1.Resource("secrets"), "m"), false},
		"refused":        {apierrors.NewForbidden(corev1.Resource("secrets"), "m", errors.New("no quota is left")), true},
	} {
		t.Run(name, func(t *testing.T) {
			d, api := dependencies(t)
			d.Client = interceptor.NewClient(api, interceptor.Funcs{
				Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
					return test.refusal
				},
			})
			err := d.export(t.Context(), lifecycle.Target{Object: machine(), Kind: "NutanixMachine"}, "c", nil)
			if test.fails {
				require.ErrorContains(t, err, "creating Secret a/m-terraform-")
			} else {
				require.NoError(t, err)
			}
		})
	}
}
