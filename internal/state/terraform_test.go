package state

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

const timeout = time.Minute

// environment is the API server for the tests of this package.
var environment *envtest.Environment

func TestMain(m *testing.M) {
	apiserver.Main(apiserver.Options{}, func(started *envtest.Environment) (int, error) {
		environment = started
		return m.Run(), nil
	})
}

// fixture contains a Store and an object that owns a state, in a namespace of its own.
type fixture struct {
	*testing.T
	api   client.Client
	store *Store
	owner *corev1.ConfigMap
	key   Key
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	api, err := client.New(environment.Config, client.Options{})
	require.NoError(t, err)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "state-"}}
	require.NoError(t, api.Create(t.Context(), namespace))
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "owner"}}
	require.NoError(t, api.Create(t.Context(), owner))
	return &fixture{T: t, api: api, store: newStore(api, "term-1"), owner: owner, key: Key{Namespace: namespace.Name, Suffix: "m-1-x-machine"}}
}

func newStore(api client.Client, term string) *Store {
	return &Store{Client: api, Reader: api, Term: term}
}

func (f *fixture) open(store *Store) *Session {
	f.Helper()
	session, err := store.Open(f.Context(), f.key, f.owner)
	require.NoError(f, err)
	f.Cleanup(func() { session.Close(f.Context()) })
	return session
}

func (f *fixture) secret() *corev1.Secret {
	f.Helper()
	secret := &corev1.Secret{}
	require.NoError(f, f.api.Get(f.Context(), f.key.secret(), secret))
	return secret
}

func (f *fixture) lease() *coordinationv1.Lease {
	f.Helper()
	lease := &coordinationv1.Lease{}
	require.NoError(f, f.api.Get(f.Context(), f.key.lease(), lease))
	return lease
}

// holder returns the ID of the current lock, or an empty string.
func (f *fixture) holder() string {
	f.Helper()
	return ptr.Deref(f.lease().Spec.HolderIdentity, "")
}

// force deletes an object and removes its finalizers, as a person may do.
func (f *fixture) force(object client.Object) {
	f.Helper()
	object.SetFinalizers(nil)
	require.NoError(f, f.api.Update(f.Context(), object))
	require.NoError(f, client.IgnoreNotFound(f.api.Delete(f.Context(), object)))
}

// workspace is a directory with a Terraform configuration that needs no provider.
type workspace struct {
	f           *fixture
	dir         string
	environment []string
}

// configuration contains one resource. If the variable wait is set, the creation of the resource waits until the file "go" exists.
const configuration = `
variable "value" {}
variable "wait" { default = false }
resource "terraform_data" "this" {
  input = var.value
  provisioner "local-exec" {
    command = var.wait ? "touch started; while ! test -e go; do sleep 0.1; done" : "true"
  }
}
output "value" { value = terraform_data.this.output }
`

func (f *fixture) workspace(backend string, environment ...string) *workspace {
	f.Helper()
	w := &workspace{f: f, dir: f.TempDir(), environment: append([]string{"CHECKPOINT_DISABLE=1", "PATH=" + os.Getenv("PATH")}, environment...)}
	require.NoError(f, os.WriteFile(filepath.Join(w.dir, "main.tf"), []byte(configuration+backend), 0o600))
	w.run("init")
	return w
}

// served returns a workspace that uses the state through a session and the http backend.
func (f *fixture) served(session http.Handler) *workspace {
	f.Helper()
	server := httptest.NewServer(session)
	f.Cleanup(server.Close)
	return f.workspace("terraform {\n  backend \"http\" {}\n}\n",
		"TF_HTTP_ADDRESS="+server.URL, "TF_HTTP_LOCK_ADDRESS="+server.URL, "TF_HTTP_UNLOCK_ADDRESS="+server.URL, "TF_HTTP_RETRY_MAX=0")
}

// direct returns a workspace that uses the state through the kubernetes backend, as a user's own Terraform does.
func (f *fixture) direct() *workspace {
	f.Helper()
	user, err := environment.AddUser(envtest.User{Name: "person", Groups: []string{"system:masters"}}, nil)
	require.NoError(f, err)
	kubeconfig, err := user.KubeConfig()
	require.NoError(f, err)
	path := filepath.Join(f.TempDir(), "kubeconfig")
	require.NoError(f, os.WriteFile(path, kubeconfig, 0o600))
	return f.workspace("terraform {\n  backend \"kubernetes\" {\n    namespace = \""+f.key.Namespace+"\"\n    secret_suffix = \""+
		f.key.Suffix+"\"\n  }\n}\n", "KUBE_CONFIG_PATH="+path)
}

func (w *workspace) command(arguments ...string) *exec.Cmd {
	command := exec.Command(toolbox.Path(w.f, "bin/terraform"), arguments...)
	command.Dir, command.Env = w.dir, w.environment
	return command
}

func (w *workspace) run(arguments ...string) string {
	w.f.Helper()
	output, err := w.command(arguments...).CombinedOutput()
	require.NoError(w.f, err, string(output))
	return string(output)
}

// start starts an apply. It returns while the apply holds the lock and creates the resource.
func (w *workspace) start() *exec.Cmd {
	w.f.Helper()
	command := w.command("apply", "-auto-approve", "-var=value=a", "-var=wait=true")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(w.f, command.Start())
	require.Eventually(w.f, func() bool {
		_, err := os.Stat(filepath.Join(w.dir, "started"))
		return err == nil
	}, timeout, 50*time.Millisecond, "waiting for the apply to begin")
	return command
}

func (w *workspace) proceed() {
	w.f.Helper()
	require.NoError(w.f, os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600))
}

func TestPersonWithTheKubernetesBackendSeesTheSameState(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	f.served(session).run("apply", "-auto-approve", "-var=value=a")
	assert.Empty(t, f.holder(), "the lock is released after the apply")
	assert.Equal(t, "owner", f.secret().OwnerReferences[0].Name)

	stored, err := session.Read(t.Context())
	require.NoError(t, err)
	outputs, err := Outputs(stored)
	require.NoError(t, err)
	assert.JSONEq(t, `"a"`, string(outputs["value"]))

	person := f.direct()
	assert.JSONEq(t, string(stored), person.run("state", "pull"))
	assert.Contains(t, person.run("plan", "-var=value=a"), "No changes")
	person.run("apply", "-auto-approve", "-var=value=b")

	stored, err = session.Read(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(stored), `"value": "b"`)
	assert.Contains(t, f.served(session).run("plan", "-var=value=b"), "No changes")
}

func TestStateOfTheKubernetesBackendIsTakenOverUnchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	person := f.direct()
	person.run("apply", "-auto-approve", "-var=value=a")
	before := f.secret().Data[contentKey]

	session := f.open(f.store)
	assert.Equal(t, before, f.secret().Data[contentKey])
	assert.Contains(t, f.served(session).run("plan", "-var=value=a"), "No changes")
}

func TestLockOfAPersonIsReported(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	person := f.direct()
	apply := person.start()
	_, err := f.store.Open(t.Context(), f.key, f.owner)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	assert.Contains(t, locked.Lock.Who, "@")
	assert.Equal(t, "OperationTypeApply", locked.Lock.Operation)
	assert.WithinDuration(t, time.Now(), locked.Lock.Created, timeout)
	assert.Contains(t, err.Error(), locked.Lock.Who)

	person.proceed()
	require.NoError(t, apply.Wait())
	f.open(f.store)
}

func TestPersonIsLockedOutByARun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	person := f.direct()
	run := f.served(session)
	apply := run.start()
	output, err := person.command("plan", "-var=value=b").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "state is already locked")
	run.proceed()
	require.NoError(t, apply.Wait())
	assert.Contains(t, person.run("plan", "-var=value=a"), "No changes")
}

func TestKilledTerraformLeavesNoLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	run := f.served(session)
	apply := run.start()
	assert.NotEmpty(t, f.holder())
	require.NoError(t, apply.Process.Signal(syscall.SIGKILL))
	require.Error(t, apply.Wait())
	run.proceed() // ends the command of the provisioner, which would otherwise outlive Terraform

	t.Run("within the run", func(t *testing.T) {
		assert.NotContains(t, run.run("plan", "-var=value=a"), "locked")
	})
	t.Run("after the run", func(t *testing.T) {
		require.NoError(t, session.Lock(t.Context(), "left", describe("left", "OperationTypeApply")))
		session.Close(t.Context())
		assert.Empty(t, f.holder())
		assert.Nil(t, f.open(f.store).Broken())
	})
}

func TestLateWriteOfAnEarlierProcessFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	earlier := f.open(f.store)
	run := f.served(earlier)
	apply := run.start()

	// The next leader can tell from the Lease that the earlier process is no longer the leader.
	next := newStore(f.api, "term-2")
	next.Dead = alwaysDead
	session := f.open(next)
	require.NotNil(t, session.Broken())
	assert.Equal(t, "OperationTypeApply", session.Broken().Operation)
	before := f.secret().ResourceVersion

	run.proceed()
	require.Error(t, apply.Wait())
	assert.Equal(t, before, f.secret().ResourceVersion, "the earlier process has written")
	content, err := os.ReadFile(filepath.Join(run.dir, "errored.tfstate"))
	require.NoError(t, err, "Terraform keeps the state that it could not write")

	require.NoError(t, session.Push(t.Context(), content))
	stored, err := session.Read(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(stored), "terraform_data")
	require.ErrorIs(t, session.Push(t.Context(), []byte(strings.Replace(string(content), `"lineage": "`, `"lineage": "other-`, 1))), ErrRefused)
}

func TestEditedStatePlansClean(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	run := f.served(session)
	run.run("apply", "-auto-approve", "-var=value=a")
	run.run("taint", "terraform_data.this")
	assert.Contains(t, run.run("plan", "-var=value=a"), "is tainted")

	require.NoError(t, session.Edit(t.Context(), "untaint", func(content []byte) ([]byte, error) {
		return Untaint(content, "terraform_data.this")
	}))
	assert.Contains(t, run.run("plan", "-var=value=a"), "No changes")

	require.NoError(t, session.Edit(t.Context(), "state rm", func(content []byte) ([]byte, error) {
		return Forget(content, "terraform_data.this", "terraform_data.absent")
	}))
	assert.Contains(t, run.run("plan", "-var=value=a"), "will be created")
	assert.Empty(t, f.holder())

	require.NoError(t, f.store.Remove(t.Context(), f.key))
	require.NoError(t, f.store.Remove(t.Context(), f.key), "what is removed already")
	require.NoError(t, client.IgnoreNotFound(f.api.Get(t.Context(), f.key.secret(), &corev1.Secret{})))
	_, err := f.store.Open(t.Context(), Key{Namespace: "no-such-namespace", Suffix: uuid.NewString()}, f.owner)
	require.ErrorContains(t, err, "no-such-namespace")
}
