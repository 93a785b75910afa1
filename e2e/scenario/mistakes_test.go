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

// An image that does not exist: a condition says so, nothing is made, and the machine comes as soon as the image is there.
func TestWrongImageNameHealsWhenTheImageComes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "wrong-image")
	c.Image = "ubuntu-that-nobody-uploaded"
	c.apply()
	c.until("the image to be missed", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.ImageNotFoundReason, c.Image)
	c.nothingCreated()

	_, err := world.Prism.AddImage(prismsim.Image{Name: c.Image, Size: resource.MustParse("10Gi")})
	require.NoError(t, err)
	say(t, "image %s was uploaded", c.Image)
	c.complete()
	assert.Len(t, c.creations(), 1)
}

// A wrong password: a condition of the cluster says so, nothing is made, and all goes on as soon as the Secret is right.
func TestWrongPasswordHealsWhenTheSecretIsCorrected(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "wrong-password")
	c.Password = "not-the-password"
	c.apply()
	c.until("the password to be refused", c.itself, infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason, "credentialRef")
	c.nothingCreated()
	assert.NotContains(t, world.Prism.CategoryValues(infrav1.CategoryKey), c.Name)

	c.patch(&corev1.Secret{}, "nutanix-credentials", fmt.Sprintf(
		`{"stringData":{"credentials":"[{\"type\":\"basic_auth\",\"data\":{\"prismCentral\":{\"username\":\"admin\",\"password\":\"%s\"}}}]"}}`, password))
	say(t, "the Secret was corrected")
	c.complete()
	assert.Len(t, c.creations(), 1)
}

// A subnet of another Prism Element: a condition says where the subnet is, nothing is made, and the machine comes as soon
// as the machine's subnet is corrected.
func TestSubnetOfAnotherPrismElementHealsWhenCorrected(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "wrong-subnet")
	c.Subnet = "vm-network-2"
	c.apply()
	c.until("the subnet to be refused", c.anyMachine, infrav1.InputsResolvedCondition, infrav1.SubnetWrongPrismElementReason, "vm-network-2")
	c.nothingCreated()

	machines := c.machines()
	require.Len(t, machines, 1)
	c.patch(&infrav1.NutanixMachine{}, machines[0].Name, `{"spec":{"subnet":[{"type":"name","name":"vm-network"}]}}`)
	say(t, "the subnet of %s was corrected", machines[0].Name)
	c.complete()
	assert.Len(t, c.creations(), 1)
}

// nothingCreated proves that a mistake made nothing in Prism Central and left no half-made state.
func (c *cluster) nothingCreated() {
	c.t.Helper()
	assert.Empty(c.t, c.vms())
	assert.Empty(c.t, c.creations())
	for _, machine := range c.machines() {
		assert.Empty(c.t, machine.Status.VMUUID)
		assert.Nil(c.t, machine.Status.FailureReason, "a mistake that can be corrected is not terminal")
	}
}

// creations are the names in the requests to make virtual machines of the cluster that came to Prism Central, whatever the answer.
func (c *cluster) creations() []string {
	c.t.Helper()
	var names []string
	for _, request := range world.Prism.Requests() {
		if request.Method != http.MethodPost || !strings.HasSuffix(request.Path, "/vms") {
			continue
		}
		var body struct{ Spec struct{ Name string } }
		require.NoError(c.t, json.Unmarshal(request.Body, &body))
		if strings.HasPrefix(body.Spec.Name, c.Name+"-") {
			names = append(names, body.Spec.Name)
		}
	}
	return names
}
