package installation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// fluxAccount is the account of kustomize-controller. The manager knows it as the account of a GitOps controller.
const (
	fluxNamespace  = "flux-system"
	fluxController = "kustomize-controller"
	fluxAccount    = "system:serviceaccount:" + fluxNamespace + ":" + fluxController
)

// fleet is the name of the GitRepository and of the Kustomization.
const fleet = "fleet"

var (
	gitRepositoryKind = schema.GroupVersionKind{Group: "source.toolkit.fluxcd.io", Version: "v1", Kind: "GitRepository"}
	kustomizationKind = schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}
)

// reconcileAnnotation asks Flux to reconcile an object at once.
const reconcileAnnotation = "reconcile.fluxcd.io/requestedAt"

// fluxObjects let Flux apply everything in the repository. The intervals are so long that only requests trigger a reconcile.
const fluxObjects = `
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {namespace: flux-system, name: fleet}
spec: {interval: 1h, url: $URL, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {namespace: flux-system, name: fleet}
spec:
  interval: 1h
  path: ./
  prune: true
  sourceRef: {kind: GitRepository, name: fleet}
`

// flux applies a Git repository to the management cluster of the first installation, with the controllers of Flux as processes.
type flux struct {
	*cluster
	repository *repository
	log        string
}

// startFlux starts Flux. The processes end with the test.
func startFlux(c *cluster) *flux {
	c.t.Helper()
	dir := c.t.TempDir()
	f := &flux{cluster: c, repository: newRepository(c.t), log: filepath.Join(dir, fluxController+".log")}
	f.installCRDs()
	ports, err := freeport.Find("127.0.0.1", 1)
	require.NoError(c.t, err)
	storage := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	f.start("source-controller", testStack.Env.Kubeconfig(), "--storage-path="+dir, "--storage-addr="+storage, "--storage-adv-addr="+storage)
	f.start(fluxController, f.kubeconfig(filepath.Join(dir, "kubeconfig")))
	return f
}

func (f *flux) installCRDs() {
	f.t.Helper()
	files, err := filepath.Glob(filepath.Join(toolbox.Path(f.t, "flux"), "*.yaml"))
	require.NoError(f.t, err)
	for _, file := range files {
		crds, err := env.LoadManifest(file)
		require.NoError(f.t, err)
		require.NoError(f.t, testStack.Env.Apply(f.ctx, crds...))
		for _, crd := range crds {
			require.NoError(f.t, testStack.Env.WaitForCondition(f.ctx, crd, "Established", metav1.ConditionTrue))
		}
	}
}

func (f *flux) start(name, kubeconfig string, arguments ...string) {
	f.t.Helper()
	dir := filepath.Dir(f.log)
	p, err := process.Start(process.Spec{
		Name: name, Path: toolbox.Path(f.t, "bin/"+name), Args: append([]string{"--metrics-addr=0", "--health-addr=0"}, arguments...),
		Env: []string{"KUBECONFIG=" + kubeconfig, "RUNTIME_NAMESPACE=" + fluxNamespace, "TMPDIR=" + dir},
		Dir: dir, Log: filepath.Join(dir, name+".log"),
	})
	require.NoError(f.t, err)
	f.t.Cleanup(func() {
		p.Kill()
		if f.t.Failed() {
			content, _ := os.ReadFile(p.Log())
			f.t.Logf("log of %s:\n%s", name, content)
		}
	})
}

// kubeconfig writes a kubeconfig of the service account of kustomize-controller, which is an administrator as in a default installation of
// Flux.
func (f *flux) kubeconfig(path string) string {
	t := f.t
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: fluxNamespace, Name: fluxController}}
	f.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fluxNamespace}}, account, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "cluster-reconciler-" + fluxNamespace},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: fluxNamespace, Name: fluxController}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
	})
	token := &authenticationv1.TokenRequest{}
	require.NoError(t, f.client.SubResource("token").Create(f.ctx, account, token))
	config, err := clientcmd.LoadFromFile(testStack.Env.Kubeconfig())
	require.NoError(t, err)
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	}
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	return path
}

// follow lets Flux apply the repository, which must contain a commit. The Kustomization is created once its source is Ready, because it
// would not be Ready at first otherwise.
func (f *flux) follow() {
	f.t.Helper()
	objects, err := env.ParseManifest([]byte(fluxObjects), "$URL", f.repository.url)
	require.NoError(f.t, err)
	for _, object := range objects {
		require.NoError(f.t, testStack.Env.Apply(f.ctx, object))
		require.NoError(f.t, testStack.Env.WaitForCondition(f.ctx, object, "Ready", metav1.ConditionTrue))
	}
}

// push commits the files and waits until Flux has applied the commit. It returns the revision.
func (f *flux) push(message string, files map[string]string) string {
	f.t.Helper()
	revision := f.repository.commit(message, files)
	f.request(gitRepositoryKind)
	f.waitForRevision(revision)
	return revision
}

func (f *flux) waitForRevision(revision string) {
	f.t.Helper()
	f.waitForKustomization("Flux to apply "+revision, "lastAppliedRevision", revision)
}

// reconcile lets Flux apply the same revision once more.
func (f *flux) reconcile() {
	f.t.Helper()
	f.waitForKustomization("Flux to apply the repository again", "lastHandledReconcileAt", f.request(kustomizationKind))
}

// request asks Flux to reconcile an object, and returns the value of the request.
func (f *flux) request(kind schema.GroupVersionKind) string {
	f.t.Helper()
	value := time.Now().Format(time.RFC3339Nano)
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	object.SetNamespace(fluxNamespace)
	object.SetName(fleet)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{reconcileAnnotation: value}}})
	require.NoError(f.t, err)
	require.NoError(f.t, f.client.Patch(f.ctx, object, client.RawPatch("application/merge-patch+json", patch)))
	return value
}

// waitForKustomization waits until a field in the status of the Kustomization has a value, and requires that the Kustomization is Ready then.
func (f *flux) waitForKustomization(what, field, value string) {
	f.t.Helper()
	f.waitFor(what, func() (bool, string) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(kustomizationKind)
		require.NoError(f.t, f.client.Get(f.ctx, client.ObjectKey{Namespace: fluxNamespace, Name: fleet}, object))
		status, _, err := unstructured.NestedMap(object.Object, "status")
		require.NoError(f.t, err)
		ready, message := "", ""
		conditions, _, _ := unstructured.NestedSlice(status, "conditions")
		for _, item := range conditions {
			if condition, ok := item.(map[string]any); ok && condition["type"] == "Ready" {
				ready, _ = condition["status"].(string)
				message, _ = condition["message"].(string)
			}
		}
		require.NotEqual(f.t, "False", ready, message)
		return status[field] == value && ready == "True", message
	})
}

// applies returns what Flux did with each object in each of its applies, for example "created", "configured" or "unchanged".
func (f *flux) applies() []map[string]string {
	f.t.Helper()
	content, err := os.ReadFile(f.log)
	require.NoError(f.t, err)
	var applies []map[string]string
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		var entry struct {
			Msg    string
			Output map[string]string
		}
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "server-side apply completed" {
			applies = append(applies, entry.Output)
		}
	}
	return applies
}

// requireUnchanged requires that Flux changed no object in its applies since the first count ones.
func (f *flux) requireUnchanged(count int) {
	f.t.Helper()
	applies := f.applies()
	require.Greater(f.t, len(applies), count)
	for _, apply := range applies[count:] {
		for object, action := range apply {
			assert.Equal(f.t, "unchanged", action, object)
		}
	}
}
