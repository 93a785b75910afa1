package env

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/e2e/guest/plane"
	"github.com/capnt/capnt/e2e/guest/process"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

const (
	// managerUser is the user name of the provider's manager.
	managerUser = "capnt-manager"
	// readyTimeout is how long the manager may take to become ready. The timeout is long because the machine may be slow
	// or busy.
	readyTimeout = 5 * time.Minute
	readyProbe   = 100 * time.Millisecond
)

// provider is the provider under test.
type provider struct {
	hooks   *hooks
	manager *process.Process
}

// ManagerOptions configure how the manager is started.
type ManagerOptions struct {
	// Binary is the path of the manager.
	Binary string
	// Args are appended to the flags that StartManager sets: --kubeconfig, --webhook-port, --webhook-cert-dir,
	// --health-addr, --diagnostics-address and --scratch-dir. A flag in Args overrides the flag of the same name.
	Args []string
	// Env contains additional environment variables. StartManager also sets POD_NAMESPACE to "default".
	Env []string
	// RBAC is the directory that contains the manager's roles (config/rbac). If it is empty or does not exist, the manager
	// runs as an administrator.
	RBAC string
}

// InstallProvider installs the CRDs in crdDir and the webhook configurations in webhookManifest. The webhook
// configurations refer to the manager that StartManager starts. If webhookManifest is empty, InstallProvider installs
// no webhooks.
func (e *Environment) InstallProvider(crdDir, webhookManifest string) error {
	if _, err := envtest.InstallCRDs(e.config, envtest.CRDInstallOptions{Paths: []string{crdDir}, ErrorIfPathMissing: true, MaxTime: installTimeout}); err != nil {
		return fmt.Errorf("installing the CRDs of the provider: %w", err)
	}
	h, err := e.newHooks("provider")
	if err != nil {
		return fmt.Errorf("installing the provider: %w", err)
	}
	if webhookManifest != "" {
		if err := installWebhooks(e.config, h, []string{webhookManifest}); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.provider = &provider{hooks: h}
	return nil
}

// StartManager starts the provider's manager as a child process, and returns when the manager is ready. It returns an
// error if a manager is already running.
func (e *Environment) StartManager(ctx context.Context, options ManagerOptions) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.provider == nil {
		return errors.New("starting the manager: InstallProvider has not been called")
	}
	if m := e.provider.manager; m != nil && running(m) {
		return fmt.Errorf("starting the manager: it runs already (pid %d)", m.PID())
	}
	kubeconfig, err := e.managerKubeconfig(ctx, options.RBAC)
	if err != nil {
		return fmt.Errorf("starting the manager: %w", err)
	}
	ports, err := freeport.Find(host, 2)
	if err != nil {
		return fmt.Errorf("starting the manager: %w", err)
	}
	health := address(ports[0])
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--webhook-port=" + strconv.Itoa(e.provider.hooks.port),
		"--webhook-cert-dir=" + e.provider.hooks.dir,
		"--health-addr=" + health,
		"--diagnostics-address=" + address(ports[1]),
		"--scratch-dir=" + e.ScratchDir(),
	}
	pod, err := os.Hostname() // in a Pod, the hostname is the name of the Pod
	if err != nil {
		return fmt.Errorf("starting the manager: %w", err)
	}
	manager, err := process.Start(process.Spec{
		Name: "capnt-manager", Path: options.Binary, Args: append(args, options.Args...), Log: e.ManagerLog(),
		Env: append([]string{"POD_NAMESPACE=" + metav1.NamespaceDefault, "POD_NAME=" + pod}, options.Env...),
	})
	if err != nil {
		return err
	}
	if err := waitHealthy(ctx, manager, "http://"+health+"/readyz"); err != nil {
		manager.Kill()
		return err
	}
	e.provider.manager = manager
	return nil
}

// StopManager stops the manager and waits until its process has exited.
func (e *Environment) StopManager() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.provider == nil || e.provider.manager == nil {
		return nil
	}
	m := e.provider.manager
	e.provider.manager = nil
	if !running(m) {
		return fmt.Errorf("the manager had ended before it was stopped: %v; its output is in %s", m.Err(), m.Log())
	}
	return m.Stop(stopGrace)
}

// KillManager kills the manager with SIGKILL and waits until its process has exited. It simulates a manager that runs
// out of memory or whose host fails.
func (e *Environment) KillManager() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.provider == nil || e.provider.manager == nil || !running(e.provider.manager) {
		return errors.New("killing the manager: it does not run")
	}
	e.provider.manager.Kill()
	e.provider.manager = nil
	return nil
}

// ClusterAPILog returns the path of the log of Cluster API's controllers.
func (e *Environment) ClusterAPILog() string { return filepath.Join(e.options.Dir, clusterAPILog) }

// ManagerLog returns the path of the manager's log. A restarted manager appends to the same log.
func (e *Environment) ManagerLog() string { return filepath.Join(e.options.Dir, "capnt-manager.log") }

// ScratchDir returns the directory in which the manager runs Terraform.
func (e *Environment) ScratchDir() string { return filepath.Join(e.options.Dir, "scratch") }

// managerKubeconfig writes a kubeconfig for the manager and returns its path. The user in the kubeconfig has the
// manager's roles.
func (e *Environment) managerKubeconfig(ctx context.Context, rbac string) (string, error) {
	user := plane.User{Name: managerUser}
	switch {
	case rbac == "" || !exists(rbac):
		user = plane.Admin()
	default:
		if err := e.bindRoles(ctx, rbac); err != nil {
			return "", err
		}
	}
	config, err := e.plane.clientConfig(user)
	if err != nil {
		return "", err
	}
	path := filepath.Join(e.options.Dir, "manager.kubeconfig")
	return path, plane.WriteKubeconfig(config, managerUser, path)
}

// unboundRoles are the roles in the manager's directory of roles that are for users and not for the manager.
var unboundRoles = []string{"plan-approver", "plan-viewer"}

// bindRoles creates the roles in the files of the directory dir and binds the manager's user to these roles, except unboundRoles. Roles that
// have no namespace are created in the namespace "default".
func (e *Environment) bindRoles(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return fmt.Errorf("reading roles: %w", err)
	}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: managerUser}}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading roles: %w", err)
		}
		for _, document := range splitYAML(content) {
			role, binding, err := readRole(document, subjects)
			if err != nil {
				return fmt.Errorf("reading role %s: %w", file, err)
			}
			for _, object := range []client.Object{role, binding} {
				if object == nil || object == binding && slices.Contains(unboundRoles, object.GetName()) {
					continue
				}
				if err := client.IgnoreAlreadyExists(e.Client.Create(ctx, object)); err != nil {
					return fmt.Errorf("creating role of %s: %w", file, err)
				}
			}
		}
	}
	return nil
}

// readRole returns the role in a document and a binding of the role to the subjects. It returns nil for other kinds.
func readRole(document []byte, subjects []rbacv1.Subject) (role, binding client.Object, err error) {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return nil, nil, err
	}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: head.Kind}
	switch head.Kind {
	case "ClusterRole":
		r := &rbacv1.ClusterRole{}
		err = yaml.Unmarshal(document, r)
		ref.Name = r.Name
		return r, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: r.Name}, Subjects: subjects, RoleRef: ref}, err
	case "Role":
		r := &rbacv1.Role{}
		err = yaml.Unmarshal(document, r)
		r.Namespace, ref.Name = metav1.NamespaceDefault, r.Name
		meta := metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name}
		return r, &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref}, err
	}
	return nil, nil, nil
}

// waitHealthy polls the URL until the server responds with 200, the process exits, or the timeout expires.
func waitHealthy(ctx context.Context, p *process.Process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(readyProbe)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to be ready: %w; its output is in %s", p.Name(), ctx.Err(), p.Log())
		case <-p.Done():
			return fmt.Errorf("waiting for %s to be ready: it ended (%v); its output is in %s", p.Name(), p.Err(), p.Log())
		case <-ticker.C:
		}
	}
}

func running(p *process.Process) bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

func address(port int) string { return host + ":" + strconv.Itoa(port) }
