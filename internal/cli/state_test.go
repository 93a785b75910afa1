package cli

import (
	"bytes"
	"compress/gzip"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// stateObjects returns a cluster and a machine with a state in a backend.
func stateObjects(t *testing.T, backend *infrav1.TerraformBackend) []client.Object {
	t.Helper()
	labels := map[string]string{clusterv1.ClusterNameLabel: "prod"}
	cluster := &infrav1.NutanixCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prod", Labels: labels},
		Spec:       infrav1.NutanixClusterSpec{Terraform: &infrav1.TerraformSpec{Backend: backend}},
	}
	machine := machine("prod-md-0-9d8v2", "prod-a", false)
	machine.Labels = labels
	machine.Status.Terraform = &infrav1.TerraformStatus{Lineage: "6f1d1b6e", Serial: 7, ProviderVersion: "2.4.2"}
	content, err := os.ReadFile("testdata/state.json")
	require.NoError(t, err)
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	_, err = writer.Write(content)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return []client.Object{cluster, machine, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tfstate-default-suffix-of-prod-md-0-9d8v2"},
		Data:       map[string][]byte{"tfstate": compressed.Bytes()},
	}}
}

// newStateProgram returns a program whose state suffixes begin with "suffix-of-".
func newStateProgram(t *testing.T, objects ...client.Object) *program {
	t.Helper()
	program := newProgram(t, objects...)
	program.config.StateSuffix = func(_ string, object client.Object) string { return "suffix-of-" + object.GetName() }
	return program
}

func TestStateList(t *testing.T) {
	program := newStateProgram(t, stateObjects(t, nil)...)
	assert.Equal(t, 0, program.run(t, "state", "list"))
	golden(t, "state-list.txt", program.out.String())
	assert.Equal(t, 0, program.run(t, "state", "list", "-n", "other"))
	assert.Equal(t, "No Terraform states found.\n", program.err.String())
}

func TestStateShow(t *testing.T) {
	program := newStateProgram(t, stateObjects(t, nil)...)
	assert.Equal(t, 0, program.run(t, "state", "show", "nma/prod-md-0-9d8v2"), program.err.String())
	golden(t, "state-show.txt", program.out.String())
	assert.NotContains(t, program.out.String(), "c2VjcmV0", "sensitive values are replaced")
}

func TestStatePull(t *testing.T) {
	program := newStateProgram(t, stateObjects(t, &infrav1.TerraformBackend{Type: "kubernetes"})...)
	assert.Equal(t, 0, program.run(t, "state", "pull", "NutanixMachine/prod-md-0-9d8v2"))
	want, err := os.ReadFile("testdata/state.json")
	require.NoError(t, err)
	assert.Equal(t, string(want), program.out.String(), "every byte of the state")
}

func TestStateInAnotherBackend(t *testing.T) {
	program := newStateProgram(t, stateObjects(t, &infrav1.TerraformBackend{Type: "s3",
		Config: map[string]string{"bucket": "it's ours", "key": "states/{suffix}"}})...)
	assert.Equal(t, 2, program.run(t, "state", "pull", "NutanixMachine/prod-md-0-9d8v2"))
	golden(t, "state-s3.txt", program.err.String())
	assert.Empty(t, program.out.String())
}

func TestStateOfInvalidObject(t *testing.T) {
	tests := map[string]string{
		"prod-md-0-9d8v2":      "give kind and name, for example NutanixMachine/prod-md-0-9d8v2",
		"Machine/none":         "not found",
		"Pod/prod-md-0-9d8v2":  `invalid kind "Pod"`,
		"NutanixCluster/prod":  "NutanixCluster/prod has no Terraform state",
		"NutanixMachine/":      "give kind and name",
		"NutanixCluster/other": "not found",
	}
	for reference, message := range tests {
		t.Run(reference, func(t *testing.T) {
			program := newStateProgram(t, stateObjects(t, nil)...)
			assert.Equal(t, 2, program.run(t, "state", "show", reference))
			assert.Contains(t, program.err.String(), message)
		})
	}
}

func TestCompletionOfObjects(t *testing.T) {
	program := newStateProgram(t, stateObjects(t, nil)...)
	assert.Equal(t, 0, program.run(t, "__complete", "state", "show", ""))
	assert.Equal(t, "NutanixCluster/prod\nNutanixMachine/prod-md-0-9d8v2\n:4\n", program.out.String())
}
