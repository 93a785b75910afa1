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

// process is a capnt-ccm process that runs as in the Deployment.
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

// port returns a free port for a server that is about to start.
func (f *fixture) port() string {
	f.t.Helper()
	ports, err := freeport.Find("127.0.0.1", 1)
	require.NoError(f.t, err)
	return strconv.Itoa(ports[0])
}

// run starts the process with the flags of the Deployment. Additional flags replace what a pod would provide.
func (f *fixture) run() *process {
	f.t.Helper()
	port := f.port()
	binary, err := os.Executable()
	require.NoError(f.t, err)

	args := objectOf[appsv1.Deployment](f.t, "Deployment").Spec.Template.Spec.Containers[0].Args
	args = append(args, "--cloud-config="+f.config, "--kubeconfig="+f.kubeconfig, "--authentication-kubeconfig="+f.kubeconfig,
		"--authorization-kubeconfig="+f.kubeconfig, "--bind-address=127.0.0.1", "--secure-port="+port, "--node-monitor-period=1s",
		// On a slow machine a shorter lease could be lost.
		"--leader-elect-lease-duration=5m", "--leader-elect-renew-deadline=4m")
	p := &process{Cmd: exec.Command(binary, args...), port: port, log: &lockedBuffer{}}
	p.Env = append(os.Environ(), asProcess+"=1")
	p.Stdout, p.Stderr = p.log, p.log
	require.NoError(f.t, p.Start())
	f.t.Cleanup(func() {
		_ = p.Process.Kill() // the process may have ended already
		_ = p.Wait()
		if f.t.Failed() {
			f.t.Log(p.log.String())
		}
	})
	return p
}

// get sends a GET request to the process and returns status and body. The status is 0 if the process does not listen.
func (p *process) get(path, token string) (int, string) {
	request, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+p.port+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	browser := &http.Client{Timeout: deadline, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // as the kubelet does for probes
	}}
	response, err := browser.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// TestDeploymentNeedsExactlyItsRights runs the process as in the Deployment and exercises all of its functions. Then it compares
// the requests to the API server with the rights in the manifests.
func TestDeploymentNeedsExactlyItsRights(t *testing.T) {
	f := newFixture(t)
	f.configure(withLoadBalancers())
	f.t.Cleanup(f.releaseLease)
	p := f.run()
	probe := objectOf[appsv1.Deployment](t, "Deployment").Spec.Template.Spec.Containers[0].LivenessProbe.HTTPGet.Path
	require.Eventually(t, func() bool { status, _ := p.get(probe, ""); return status == http.StatusOK }, deadline, tick)

	kept, lost := f.vm("kept"), f.vm("lost")
	f.register(kept)
	f.register(lost)
	f.initialised(kept)
	f.initialised(lost)
	f.serve("web", nil)
	class := "nutanix.com/nlb"
	f.serve("classy", &class)
	f.removeVM(lost.Name, lost.UUID)
	f.switchOff(kept.Name, kept.UUID)
	f.awaitEvent("PrismCentralAnswers", "")
	f.metrics(p)

	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.Wait())
	assert.NotContains(t, p.log.String(), firstPassword)
	compareRights(t)
}

// releaseLease deletes the lease of a process that has ended, because the next process would wait until the lease expires.
func (f *fixture) releaseLease() {
	lease := &coordinationv1.Lease{ObjectMeta: in("cloud-controller-manager")}
	assert.NoError(f.t, client.IgnoreNotFound(api.Delete(context.Background(), lease)))
}

// serve creates a Service, waits until it has an address, deletes it and waits until it is gone.
func (f *fixture) serve(name string, class *string) {
	f.t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: class, Ports: []corev1.ServicePort{{Port: 80}},
		},
	}
	f.create(service)
	key := client.ObjectKeyFromObject(service)
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		require.NoError(c, api.Get(f.t.Context(), key, service))
		require.Len(c, service.Status.LoadBalancer.Ingress, 1)
		assert.True(c, strings.HasPrefix(service.Status.LoadBalancer.Ingress[0].IP, "10.60.2."))
	}, deadline, tick)
	require.NoError(f.t, api.Delete(f.t.Context(), service))
	require.Eventually(f.t, func() bool { return apierrors.IsNotFound(api.Get(f.t.Context(), key, service)) }, deadline, tick)
}

// removeVM deletes a virtual machine and waits until its Node is deleted.
func (f *fixture) removeVM(name, uuid string) {
	f.t.Helper()
	require.NoError(f.t, f.prism.DeleteVM(uuid))
	f.ready(name, corev1.ConditionUnknown, uuid)
	require.Eventually(f.t, func() bool {
		return apierrors.IsNotFound(api.Get(f.t.Context(), client.ObjectKey{Name: name}, &corev1.Node{}))
	}, deadline, tick)
}

// switchOff switches a virtual machine off and waits until its Node reports it.
func (f *fixture) switchOff(name, uuid string) {
	f.t.Helper()
	require.NoError(f.t, f.prism.PowerOff(uuid))
	f.ready(name, corev1.ConditionUnknown, uuid)
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		node := &corev1.Node{}
		require.NoError(c, api.Get(f.t.Context(), client.ObjectKey{Name: name}, node))
		assert.True(c, slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
			return taint.Key == cloudproviderapi.TaintNodeShutdown
		}))
	}, deadline, tick)
}

// metrics checks that metrics can be read only with the right to read them.
func (f *fixture) metrics(p *process) {
	f.t.Helper()
	status, _ := p.get("/metrics", "")
	assert.Equal(f.t, http.StatusForbidden, status)
	token, body := scraperToken(f), ""
	require.EventuallyWithT(f.t, func(c *assert.CollectT) { // the API server applies a new role after a delay
		status, body = p.get("/metrics", token)
		assert.Equal(c, http.StatusOK, status, body)
	}, deadline, tick)
	for _, name := range []string{"capnt_ccm_prism_requests_total", "capnt_ccm_config_reload_total", "workqueue_adds_total", "rest_client_requests_total"} {
		assert.Contains(f.t, body, fmt.Sprintf("# TYPE %s ", name))
	}
	assert.NotContains(f.t, body, firstPassword)
}
