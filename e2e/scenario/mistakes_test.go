package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// The image of a machine does not exist. A condition names the image, and the manager creates nothing until the image
// is uploaded.
func TestMachineIsCreated_OnceImageExists(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "wrong-image")
	c.Image = "ubuntu-that-nobody-uploaded"
	c.apply()
	c.waitForCondition("the image to be reported as not found", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.ImageNotFoundReason, c.Image)
	c.assertNothingCreated()

	_, err := testStack.Prism.AddImage(prismsim.Image{Name: c.Image, Size: resource.MustParse("10Gi")})
	require.NoError(t, err)
	logf(t, "image %s was uploaded", c.Image)
	c.complete()
	assert.Len(t, c.creations(), 1)
}

// The password of a cluster is wrong. A condition reports the wrong password, and the manager creates nothing until the
// Secret is corrected.
func TestClusterIsCreated_OncePasswordIsCorrected(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "wrong-password")
	c.Password = "not-the-password"
	c.apply()
	c.waitForCondition("the password to be reported as wrong", c.infraCluster, infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason, "credentialRef")
	c.assertNothingCreated()
	assert.NotContains(t, testStack.Prism.CategoryValues(infrav1.CategoryKey), c.Name)

	c.patch(&corev1.Secret{}, "nutanix-credentials", fmt.Sprintf(
		`{"stringData":{"credentials":"[{\"type\":\"basic_auth\",\"data\":{\"prismCentral\":{\"username\":\"admin\",\"password\":\"%s\"}}}]"}}`, password))
	logf(t, "the Secret was corrected")
	c.complete()
	assert.Len(t, c.creations(), 1)
}

// The subnet of a machine is on a different Prism Element than the machine. A condition reports the mismatch, and the
// manager creates nothing until the machine's subnet is corrected.
func TestMachineIsCreated_OnceSubnetIsCorrected(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "wrong-subnet")
	c.Subnet = "vm-network-2"
	c.apply()
	c.waitForCondition("the subnet to be reported as wrong", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.SubnetWrongPrismElementReason, "vm-network-2")
	c.assertNothingCreated()

	machines := c.machines()
	require.Len(t, machines, 1)
	c.patch(&infrav1.NutanixMachine{}, machines[0].Name, `{"spec":{"subnet":[{"type":"name","name":"vm-network"}]}}`)
	logf(t, "the subnet of %s was corrected", machines[0].Name)
	c.complete()
	assert.Len(t, c.creations(), 1)
}

// assertNothingCreated checks that Prism Central got no create request and that no machine has a UUID or a terminal
// failure.
func (c *cluster) assertNothingCreated() {
	c.t.Helper()
	assert.Empty(c.t, c.vms())
	assert.Empty(c.t, c.creations())
	for _, machine := range c.machines() {
		assert.Empty(c.t, machine.Status.VMUUID)
		assert.Nil(c.t, machine.Status.FailureReason, "a failure that the user can correct must not be terminal")
	}
}

// creations returns the VM name in each create request that Prism Central got for the cluster, including failed
// requests.
func (c *cluster) creations() []string {
	c.t.Helper()
	var names []string
	for _, request := range testStack.Prism.Requests() {
		if request.Method != http.MethodPost || !strings.HasSuffix(request.Path, "/vms") {
			continue
		}
		var body struct {
			Name string // in the v4 API
			Spec struct{ Name string }
		}
		require.NoError(c.t, json.Unmarshal(request.Body, &body))
		if name := body.Name + body.Spec.Name; strings.HasPrefix(name, c.Name+"-") {
			names = append(names, name)
		}
	}
	return names
}
