package scenario

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/toolbox"
)

// A cluster whose provider version is not in the mirror reports that in a condition and waits. Other clusters and the
// manager are not affected.
func TestUnavailableProviderVersionBlocksOnlyItsCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "noversion")
	c.ProviderVersion = "2.99.0"
	c.apply()
	c.waitForCondition("the missing version to be reported", c.infraCluster, infrav1.PlanRecordedCondition, infrav1.ProviderVersionUnavailableReason, "2.99.0")
	assert.Empty(t, c.vms())

	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":null}}`)
	logf(t, "removed the provider version")
	c.complete()
}

// The provider version of a cluster can be changed. Each workspace is planned once with the new version, and existing
// VMs do not change. The new version creates new machines and destroys machines of the old version.
func TestProviderVersionCanBeChanged(t *testing.T) {
	t.Parallel()
	versions := toolbox.ProviderVersions(t)
	other := slices.IndexFunc(versions, func(version string) bool { return version != stack.ProviderVersion })
	if other < 0 {
		logf(t, "the mirror has only provider %s, so the version is not changed: make tools PROVIDER_2=path adds another one", stack.ProviderVersion)
		return
	}
	c := newCluster(t, "newversion")
	c.Workers = 1
	c.apply()
	c.complete()
	before := c.vms()

	c.patch(&infrav1.NutanixCluster{}, c.Name, fmt.Sprintf(`{"spec":{"terraform":{"providerVersion":%q}}}`, versions[other]))
	logf(t, "changed the provider version from %s to %s", stack.ProviderVersion, versions[other])
	c.waitForProviderVersion(versions[other])
	assert.Equal(t, before, c.vms())
	for _, request := range testStack.Prism.Requests() {
		for _, vm := range before {
			assert.False(t, request.Method != http.MethodGet && strings.HasSuffix(request.Path, vm.UUID), "%s %s", request.Method, request.Path)
		}
	}
	c.scaleWorkers("2")
	c.complete()
	c.waitForProviderVersion(versions[other])
	c.plansClean()
}

// waitForProviderVersion waits until the last run of every machine used this version of the provider.
func (c *cluster) waitForProviderVersion(version string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "machines of "+c.Name+" to be planned with provider "+version, func(context.Context) (bool, string, error) {
		var others []string
		for _, machine := range c.machines() {
			terraform := machine.Status.Terraform
			if terraform == nil || terraform.ProviderVersion != version {
				others = append(others, machine.Name)
			}
		}
		return len(others) == 0, strings.Join(others, ", "), nil
	}))
	for _, machine := range c.machines() {
		require.Equal(c.t, version, machine.Annotations[infrav1.ProviderVersionAnnotation])
	}
}
