package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cloudproviderapi "k8s.io/cloud-provider/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// process is capnt-ccm as the Deployment runs it.
type process struct {
	*exec.Cmd
	port string
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// port gives one for a server that is about to start.
func (w *world) port() string {
	w.t.Helper()
	ports, err := freeport.Find("127.0.0.1", 1)
	require.NoError(w.t, err)
	return strconv.Itoa(ports[0])
}

// run starts the process with the flags of the Deployment; what a pod finds around it is given by further flags.
func (w *world) run() *process {
	w.t.Helper()
	port := w.port()
	binary, err := os.Executable()
	require.NoError(w.t, err)

	args := the[appsv1.Deployment](w.t, "Deployment").Spec.Template.Spec.Containers[0].Args
	args = append(args, "--cloud-config="+w.config, "--kubeconfig="+w.kubeconfig, "--authentication-kubeconfig="+w.kubeconfig,
		"--authorization-kubeconfig="+w.kubeconfig, "--bind-address=127.0.0.1", "--secure-port="+port, "--node-monitor-period=1s",
		// However slow the machine, the lease is not lost.
		"--leader-elect-lease-duration=5m", "--leader-elect-renew-deadline=4m")
	p := &process{Cmd: exec.Command(binary, args...), port: port, log: &lockedBuffer{}}
	p.Env = append(os.Environ(), asProcess+"=1")
	p.Stdout, p.Stderr = p.log, p.log
	require.NoError(w.t, p.Start())
	w.t.Cleanup(func() {
		_ = p.Process.Kill() // when it has not ended yet
		_ = p.Wait()
		if w.t.Failed() {
			w.t.Log(p.log.String())
		}
	})
	return p
}

// get asks the process for a path and gives the status and the body; 0 when it does not listen.
func (p *process) get(path, token string) (int, string) {
	request, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+p.port+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	browser := &http.Client{Timeout: deadline, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // as the kubelet probes
	}}
	response, err := browser.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// TestTheDeploymentWorksWithExactlyTheRightsOfItsManifests runs the process as the Deployment does, lets it do everything it can
// do, and compares what it asked of the API server with what it may ask.
func TestTheDeploymentWorksWithExactlyTheRightsOfItsManifests(t *testing.T) {
	w := newWorld(t)
	w.configure(withLoadBalancers())
	w.t.Cleanup(w.releaseLease)
	p := w.run()
	probe := the[appsv1.Deployment](t, "Deployment").Spec.Template.Spec.Containers[0].LivenessProbe.HTTPGet.Path
	require.Eventually(t, func() bool { status, _ := p.get(probe, ""); return status == http.StatusOK }, deadline, tick)

	kept, lost := w.vm("kept"), w.vm("lost")
	w.register(kept)
	w.register(lost)
	w.initialised(kept)
	w.initialised(lost)
	w.serve("web", nil)
	class := "nutanix.com/nlb"
	w.serve("classy", &class)
	w.forget(lost.Name, lost.UUID)
	w.switchOff(kept.Name, kept.UUID)
	w.told("PrismCentralAnswers", "")
	w.metrics(p)

	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.Wait())
	assert.NotContains(t, p.log.String(), firstPassword)
	compareRights(t)
}

// releaseLease takes the lease of a process that has ended, which the next one would wait for.
func (w *world) releaseLease() {
	lease := &coordinationv1.Lease{ObjectMeta: in("cloud-controller-manager")}
	assert.NoError(w.t, client.IgnoreNotFound(api.Delete(context.Background(), lease)))
}

// serve makes a Service, waits until it has an address, and deletes it until it is gone.
func (w *world) serve(name string, class *string) {
	w.t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: class, Ports: []corev1.ServicePort{{Port: 80}},
		},
	}
	w.create(service)
	key := client.ObjectKeyFromObject(service)
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(w.t.Context(), key, service))
		require.Len(c, service.Status.LoadBalancer.Ingress, 1)
		assert.True(c, strings.HasPrefix(service.Status.LoadBalancer.Ingress[0].IP, "10.60.2."))
	}, deadline, tick)
	require.NoError(w.t, api.Delete(w.t.Context(), service))
	require.Eventually(w.t, func() bool { return apierrors.IsNotFound(api.Get(w.t.Context(), key, service)) }, deadline, tick)
}

// forget deletes a virtual machine and waits until its Node is gone.
func (w *world) forget(name, uuid string) {
	w.t.Helper()
	require.NoError(w.t, w.prism.DeleteVM(uuid))
	w.ready(name, corev1.ConditionUnknown, uuid)
	require.Eventually(w.t, func() bool {
		return apierrors.IsNotFound(api.Get(w.t.Context(), client.ObjectKey{Name: name}, &corev1.Node{}))
	}, deadline, tick)
}

// switchOff switches a virtual machine off and waits until its Node says so.
func (w *world) switchOff(name, uuid string) {
	w.t.Helper()
	require.NoError(w.t, w.prism.PowerOff(uuid))
	w.ready(name, corev1.ConditionUnknown, uuid)
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		node := &corev1.Node{}
		require.NoError(c, api.Get(w.t.Context(), client.ObjectKey{Name: name}, node))
		assert.True(c, slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
			return taint.Key == cloudproviderapi.TaintNodeShutdown
		}))
	}, deadline, tick)
}

// metrics are for those who may read them.
func (w *world) metrics(p *process) {
	w.t.Helper()
	status, _ := p.get("/metrics", "")
	assert.Equal(w.t, http.StatusForbidden, status)
	token, body := scraperToken(w), ""
	require.EventuallyWithT(w.t, func(c *assert.CollectT) { // the API server takes a moment to heed a new role
		status, body = p.get("/metrics", token)
		assert.Equal(c, http.StatusOK, status, body)
	}, deadline, tick)
	for _, name := range []string{"capnt_ccm_prism_requests_total", "capnt_ccm_config_reload_total", "workqueue_adds_total", "rest_client_requests_total"} {
		assert.Contains(w.t, body, fmt.Sprintf("# TYPE %s ", name))
	}
	assert.NotContains(w.t, body, firstPassword)
}
