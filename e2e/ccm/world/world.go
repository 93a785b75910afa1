// Package world is what scenarios of the cloud controller manager happen in: a real kube-apiserver with etcd, a simulated
// Prism Central behind a proxy, Nodes that register as a kubelet with --cloud-provider=external does, and the binary
// capnt-ccm with the flags, the ServiceAccount and the roles of config/ccm.
package world

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Credentials of Prism Central. Password and key are searched for in everything that the manager writes.
const (
	username = "ccm"
	password = "a-password-that-must-not-leak"
	apiKey   = "a-key-that-must-not-leak"
)

const (
	// patience is the Patience of a new world.
	patience = 3 * time.Minute
	// pollInterval of waits.
	pollInterval = 50 * time.Millisecond
	// monitorPeriod is how often the manager looks after Nodes that are not ready. Its default is 5 s.
	monitorPeriod = 200 * time.Millisecond
)

// Site is what all worlds share.
type Site struct {
	Pool       *Pool
	Deployment *Deployment
	// Binary is the path of capnt-ccm.
	Binary string
	// Inventory is what each simulated Prism Central starts with.
	Inventory []byte

	worlds atomic.Int64
}

// Options change what New makes.
type Options struct {
	// Configure changes the configuration.
	Configure func(*config.Config)
	// Flags are added to those of the Deployment and win over them.
	Flags []string
	// Latency of tasks in Prism Central.
	Latency prismsim.Latencies
	// Idle leaves the manager to be started by the scenario.
	Idle bool
	// Shared is for scenarios without a manager and without Nodes: they share a control plane.
	Shared bool
}

// World belongs to one scenario. All methods fail the test when they cannot do what they say.
type World struct {
	Kube    kubernetes.Interface
	Prism   *prismsim.Server
	Proxy   *Proxy
	Manager *Manager
	// Config is the current configuration; see Configure.
	Config config.Config
	// Namespace is where the scenario's Services are.
	Namespace string
	// Patience is how long the world waits for one thing.
	Patience time.Duration

	t    testing.TB
	site *Site
	ctl  *ControlPlane
	dir  string
	// flags of every manager.
	flags []string

	// direct reaches Prism Central past the proxy, with this password.
	direct   *http.Client
	password string
}

// ctx is for calls that a test makes, also while it is being cleaned up: then the test's own context has ended.
func (w *World) ctx() context.Context { return context.WithoutCancel(w.t.Context()) }

// T is the test that the world belongs to.
func (w *World) T() testing.TB { return w.t }

// New makes a world and starts the manager. When the test ends, everything that was asked for is taken back, and nothing
// may be left of it in Prism Central.
func New(t testing.TB, site *Site, options Options) *World {
	t.Helper()
	take := site.Pool.Take
	if options.Shared {
		take = site.Pool.Share
	}
	ctl, err := take(t.Context())
	require.NoError(t, err)
	number := site.worlds.Add(1)
	w := &World{t: t, site: site, ctl: ctl, Kube: ctl.Kube, dir: t.TempDir(), password: password, Patience: patience, Namespace: fmt.Sprintf("scenario-%d", number)}
	w.startPrism(options.Latency)
	w.install(fmt.Sprintf("cluster-%d", number))
	if options.Configure != nil {
		options.Configure(&w.Config)
	}
	w.writeConfig()
	w.prepareManager(options.Flags)
	t.Cleanup(func() { w.close(options.Shared) })
	if !options.Idle && !options.Shared {
		w.Start()
	}
	return w
}

func (w *World) startPrism(latency prismsim.Latencies) {
	inventory, err := prismsim.ParseInventory(w.site.Inventory)
	require.NoError(w.t, err)
	w.Prism, err = prismsim.New(prismsim.Options{Inventory: inventory, Username: username, Password: password, APIKey: apiKey, Latency: latency})
	require.NoError(w.t, err)
	require.NoError(w.t, w.Prism.Start(context.Background()))
	w.Proxy, err = NewProxy(w.Prism.URL(), w.Prism.CABundle())
	require.NoError(w.t, err)
}

// install does what an administrator does before the manager starts: roles, credentials and configuration.
func (w *World) install(cluster string) {
	ctx := w.ctx()
	_, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}, metav1.CreateOptions{})
	require.NoError(w.t, err)
	require.NoError(w.t, w.site.Deployment.Apply(ctx, w.Kube))
	w.Credentials(username, password)
	w.Trust(w.Proxy.TrustBundle)
	w.Config = w.configuration(cluster)
}

// Credentials puts a user into the Secret that the manager reads.
func (w *World) Credentials(user, secret string) {
	w.t.Helper()
	w.writeCredentials("basic_auth", map[string]string{"username": user, "password": secret})
}

// UseAPIKey puts the key of a service account into the Secret instead.
func (w *World) UseAPIKey() {
	w.t.Helper()
	w.writeCredentials("api_key", map[string]string{"apiKey": apiKey})
}

func (w *World) writeCredentials(kind string, data map[string]string) {
	w.t.Helper()
	raw, err := json.Marshal([]any{map[string]any{"type": kind, "data": map[string]any{"prismCentral": data}}})
	require.NoError(w.t, err)
	secrets := w.Kube.CoreV1().Secrets(w.site.Deployment.Namespace)
	object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: credentials}, Data: map[string][]byte{"credentials": raw}}
	if _, err = secrets.Create(w.ctx(), object, metav1.CreateOptions{}); err != nil {
		_, err = secrets.Update(w.ctx(), object, metav1.UpdateOptions{})
	}
	require.NoError(w.t, err)
}

// Trust puts certificates into the ConfigMap that the roles let the manager read.
func (w *World) Trust(bundle []byte) {
	w.t.Helper()
	configMaps := w.Kube.CoreV1().ConfigMaps(w.site.Deployment.Namespace)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: TrustBundle}, Data: map[string]string{"ca.crt": string(bundle)}}
	_, err := configMaps.Create(w.ctx(), object, metav1.CreateOptions{})
	if err != nil {
		_, err = configMaps.Update(w.ctx(), object, metav1.UpdateOptions{})
	}
	require.NoError(w.t, err)
}

// Configure changes the configuration file while the manager runs.
func (w *World) Configure(change func(*config.Config)) {
	w.t.Helper()
	change(&w.Config)
	w.writeConfig()
}

// writeConfig replaces the file in one step, as a mounted ConfigMap is.
func (w *World) writeConfig() {
	raw, err := json.MarshalIndent(w.Config, "", "  ")
	require.NoError(w.t, err)
	w.WriteConfig(raw)
}

// WriteConfig puts any content into the configuration file.
func (w *World) WriteConfig(content []byte) {
	w.t.Helper()
	fresh := w.configPath() + ".new"
	require.NoError(w.t, os.WriteFile(fresh, content, 0o600))
	require.NoError(w.t, os.Rename(fresh, w.configPath()))
}

func (w *World) configPath() string { return filepath.Join(w.dir, "nutanix_config.json") }

// Until repeats check until nothing is missing any more; it fails the test, with what was missing last, when the Patience is at its end.
func (w *World) Until(what string, check func() (missing string)) {
	w.t.Helper()
	deadline, ticker := time.Now().Add(w.Patience), time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		missing := check()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waiting for %s: %s\n%s", what, missing, w.tail())
		}
		<-ticker.C
	}
}

// Throughout checks for so many monitor periods, all the time, that nothing is missing.
func (w *World) Throughout(periods int, check func() (missing string)) {
	w.t.Helper()
	deadline, ticker := time.Now().Add(time.Duration(periods)*monitorPeriod), time.NewTicker(pollInterval)
	defer ticker.Stop()
	for time.Now().Before(deadline) {
		if missing := check(); missing != "" {
			w.t.Fatalf("all the time: %s\n%s", missing, w.tail())
		}
		<-ticker.C
	}
}

// LogUntil waits until the manager has written the words.
func (w *World) LogUntil(words string) {
	w.t.Helper()
	w.Until("the manager to write "+words, func() string {
		if strings.Contains(w.Manager.Log(), words) {
			return ""
		}
		return "it has not"
	})
}

// LogAgain waits until the manager has written the words once more than it has by now.
func (w *World) LogAgain(words string) {
	w.t.Helper()
	before := strings.Count(w.Manager.Log(), words)
	w.Until("the manager to write again "+words, func() string {
		if strings.Count(w.Manager.Log(), words) > before {
			return ""
		}
		return "it has not"
	})
}

// persist repeats a change as long as somebody else comes before it.
func (w *World) persist(what string, change func() error) {
	w.t.Helper()
	w.Until(what, func() string {
		err := change()
		if apierrors.IsConflict(err) {
			return err.Error()
		}
		require.NoError(w.t, err)
		return ""
	})
}

// RestartManager kills the process and starts another.
func (w *World) RestartManager() {
	w.t.Helper()
	w.Manager.Kill()
	w.Start()
}

// tail is the end of the manager's log.
func (w *World) tail() string {
	const lines = 60
	all := strings.Split(w.Manager.Log(), "\n")
	return "the manager's last words:\n" + strings.Join(all[max(0, len(all)-lines):], "\n")
}

// noSecrets fails the test when a secret was written to the log or an Event, or when the manager lacked a right.
func (w *World) noSecrets() {
	events, err := w.Kube.CoreV1().Events("").List(context.Background(), metav1.ListOptions{})
	require.NoError(w.t, err)
	raw, err := json.Marshal(events)
	require.NoError(w.t, err)
	written := w.Manager.Log() + string(raw)
	// The roles that are deployed allow everything that is needed.
	require.NotContains(w.t, strings.ToLower(w.Manager.Log()), "is forbidden")
	for _, secret := range []string{password, apiKey, base64.StdEncoding.EncodeToString([]byte(username + ":" + password))} {
		if strings.Contains(written, secret) { // the assertions of testify would print it all
			require.FailNow(w.t, "the password or the key is in the log or in an Event")
		}
	}
}
