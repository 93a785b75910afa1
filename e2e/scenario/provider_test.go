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

// The provider version of a cluster is not in the mirror. The cluster reports the missing version in a condition and
// waits. Other clusters and the manager are not affected.
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

// The provider version of a cluster can be changed. Terraform plans each workspace once with the new version, and
// existing VMs do not change. The new version creates new machines and destroys machines that the old version created.
// When the cluster no longer sets a version, existing machines keep the version of their last run. The mirror always
// contains a second version: a copy of the same binary with a different version number.
func TestProviderVersionCanBeChanged(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "newversion")
	c.Workers = 1
	c.apply()
	c.complete()
	c.waitForProviderVersion(stack.ProviderVersion, c.machineNames())
	before := c.vms()

	version := stack.ProviderVersion
	for _, other := range otherVersions(t) {
		c.patch(&infrav1.NutanixCluster{}, c.Name, fmt.Sprintf(`{"spec":{"terraform":{"providerVersion":%q}}}`, other))
		logf(t, "changed the provider version from %s to %s", version, other)
		version = other
		c.waitForProviderVersion(version, c.machineNames())
		assert.Equal(t, before, c.vms())
		for _, vm := range before {
			for _, method := range []string{http.MethodPut, http.MethodDelete} {
				assert.Empty(t, requestsOf(method, vm.UUID))
			}
		}
	}
	c.scaleWorkers("2")
	c.complete()
	c.waitForProviderVersion(version, c.machineNames())
	c.plansClean()

	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"providerVersion":null}}}`)
	logf(t, "removed the provider version")
	kept := c.machineNames()
	c.edit(c.workers()[0].Name, `{"spec":{"categories":[{"key":"Environment","value":"Testing"}]}}`)
	c.waitForApplied(c.workers()[0].Name)
	c.scaleWorkers("3")
	c.complete()
	c.waitForProviderVersion(version, kept)
	added := slices.DeleteFunc(c.machineNames(), func(name string) bool { return slices.Contains(kept, name) })
	require.Len(t, added, 1)
	c.waitForProviderVersion(stack.ProviderVersion, added)
}

// otherVersions returns the versions in the mirror to which a cluster can be changed. It logs whether each version has
// its own binary.
func otherVersions(t *testing.T) []string {
	t.Helper()
	versions := slices.DeleteFunc(toolbox.ProviderVersions(t), func(version string) bool { return version <= stack.ProviderVersion })
	for _, version := range versions {
		logf(t, "provider %s in the mirror is a binary of its own", version)
	}
	renumbered := stack.RenumberedVersion()
	logf(t, "provider %s in the mirror is the binary of %s under another number", renumbered, stack.ProviderVersion)
	return append([]string{renumbered}, versions...)
}

// waitForProviderVersion waits until the last run of each machine has used the provider version. It requires that
// Terraform selects this version in the exported workspace of each machine.
func (c *cluster) waitForProviderVersion(version string, names []string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "machines of "+c.Name+" to be planned with provider "+version, func(context.Context) (bool, string, error) {
		var others []string
		for _, name := range names {
			terraform := c.machine(name).Status.Terraform
			if terraform == nil || terraform.ProviderVersion != version {
				others = append(others, name)
			}
		}
		return len(others) == 0, strings.Join(others, ", "), nil
	}))
	require.NotEmpty(c.t, names)
	for _, name := range names {
		machine := c.machine(name)
		require.Equal(c.t, version, machine.Annotations[infrav1.ProviderVersionAnnotation])
		workspace, err := testStack.Workspace(c.ctx, machine)
		require.NoError(c.t, err)
		defer workspace.Close()
		output, err := workspace.Terraform(c.ctx, stack.InitArgs...)
		require.NoError(c.t, err, output)
		output, err = workspace.Terraform(c.ctx, "version")
		require.NoError(c.t, err, output)
		require.Contains(c.t, output, "registry.terraform.io/nutanix/nutanix v"+version)
	}
}
