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

// start runs the command in this process until the test ends. It takes no lease, because it would end the process without it.
func (w *world) start() {
	w.t.Helper()
	stop, ended := make(chan struct{}), make(chan error, 1)
	command, err := newCommand(stop)
	require.NoError(w.t, err)
	command.SetArgs([]string{
		"--cloud-config=" + w.config, "--kubeconfig=" + w.kubeconfig,
		"--authentication-kubeconfig=" + w.kubeconfig, "--authorization-kubeconfig=" + w.kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=" + w.port(), "--cert-dir=" + w.t.TempDir(),
		"--configure-cloud-routes=false", "--leader-elect=false",
	})
	go func() { ended <- command.Execute() }()
	w.t.Cleanup(func() {
		close(stop)
		assert.NoError(w.t, <-ended)
		configz.Delete(app.ConfigzName) // the next command registers its own
	})
}

func TestNodesAreInitialisedAndCredentialsRotated(t *testing.T) {
	w := newWorld(t)
	w.start()
	first := w.vm("first")
	w.register(first)
	node := w.initialised(first)
	assert.Contains(t, node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: first.NICs[0].IPs[0]})
	assert.Equal(t, "pe", node.Labels[corev1.LabelTopologyZone])
	assert.Equal(t, "ahv-vm", node.Labels[corev1.LabelInstanceTypeStable])
	w.told(ccm.ReasonAnswers, "")

	w.prism.SetPassword("hunter2-second")
	second := w.vm("second")
	w.register(second)
	w.told(ccm.ReasonCredentialsRefused, "correct the Secret")

	require.NoError(t, api.Update(t.Context(), &corev1.Secret{ObjectMeta: in("nutanix-creds"), Data: credentials("hunter2-second")}))
	w.initialised(second)
}

func TestAChangedConfigurationTakesEffectAndABadOneDoesNot(t *testing.T) {
	w := newWorld(t)
	w.start()
	first := w.vm("first")
	w.register(first)
	assert.NotContains(t, w.initialised(first).Labels, "nutanix.com/prism-element-name")

	require.NoError(t, os.WriteFile(w.config, []byte(`{"prismCentral": {"address": "elsewhere", "port": -1}}`), 0o600))
	w.told(ccm.ReasonConfigurationRefused, "prismCentral.port: Invalid value: -1")
	second := w.vm("second")
	w.register(second)
	w.initialised(second)

	changed := withLoadBalancers()
	changed["enableCustomLabeling"] = true
	w.configure(changed)
	w.told(ccm.ReasonConfigurationChanged, "")
	w.told(ccm.ReasonRestartNeeded, "load balancers")
	third := w.vm("third")
	w.register(third)
	assert.Equal(t, "pe", w.initialised(third).Labels["nutanix.com/prism-element-name"])
}
