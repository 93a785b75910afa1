package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cloud-provider/app"
	"k8s.io/component-base/configz"

	"github.com/capnt/capnt/ccm"
)

// start runs the command in this process until the test ends. It disables leader election, because the loss of the lease ends the
// process.
func (f *fixture) start() {
	f.t.Helper()
	stop, ended := make(chan struct{}), make(chan error, 1)
	command, err := newCommand(stop)
	require.NoError(f.t, err)
	command.SetArgs([]string{
		"--cloud-config=" + f.config, "--kubeconfig=" + f.kubeconfig,
		"--authentication-kubeconfig=" + f.kubeconfig, "--authorization-kubeconfig=" + f.kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=" + f.port(), "--cert-dir=" + f.t.TempDir(),
		"--configure-cloud-routes=false", "--leader-elect=false",
	})
	go func() { ended <- command.Execute() }()
	f.t.Cleanup(func() {
		close(stop)
		assert.NoError(f.t, <-ended)
		configz.Delete(app.ConfigzName) // the next command registers its own configuration
	})
}

func TestNodesAreInitialisedAndCredentialsRotated(t *testing.T) {
	f := newFixture(t)
	f.start()
	first := f.vm("first")
	f.register(first)
	node := f.initialised(first)
	assert.Contains(t, node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: first.NICs[0].IPs[0]})
	assert.Equal(t, "pe", node.Labels[corev1.LabelTopologyZone])
	assert.Equal(t, "ahv-vm", node.Labels[corev1.LabelInstanceTypeStable])
	f.awaitEvent(ccm.ReasonAnswers, "")

	f.prism.SetPassword("hunter2-second")
	second := f.vm("second")
	f.register(second)
	f.awaitEvent(ccm.ReasonCredentialsRefused, "correct the Secret")

	require.NoError(t, api.Update(t.Context(), &corev1.Secret{ObjectMeta: in("nutanix-creds"), Data: credentials("hunter2-second")}))
	f.initialised(second)
}

func TestOnlyValidConfigurationChangesTakeEffect(t *testing.T) {
	f := newFixture(t)
	f.start()
	first := f.vm("first")
	f.register(first)
	assert.NotContains(t, f.initialised(first).Labels, "nutanix.com/prism-element-name")

	require.NoError(t, os.WriteFile(f.config, []byte(`{"prismCentral": {"address": "elsewhere", "port": -1}}`), 0o600))
	f.awaitEvent(ccm.ReasonConfigurationRefused, "prismCentral.port: Invalid value: -1")
	second := f.vm("second")
	f.register(second)
	f.initialised(second)

	changed := withLoadBalancers()
	changed["enableCustomLabeling"] = true
	f.configure(changed)
	f.awaitEvent(ccm.ReasonConfigurationChanged, "")
	f.awaitEvent(ccm.ReasonRestartNeeded, "load balancers")
	third := f.vm("third")
	f.register(third)
	assert.Equal(t, "pe", f.initialised(third).Labels["nutanix.com/prism-element-name"])
}
