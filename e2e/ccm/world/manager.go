package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/capnt/capnt/e2e/guest/process"
)

// tokenSeconds is how long the ServiceAccount's token is valid: longer than any scenario.
const tokenSeconds = 3600

// Manager is the binary capnt-ccm: one process after the other, with the same flags.
type Manager struct {
	spec    process.Spec
	process *process.Process
	port    int
}

// Start starts the binary; it must not be running. See World.Start for when it works.
func (m *Manager) Start() (err error) {
	m.process, err = process.Start(m.spec)
	return err
}

// Kill ends it with SIGKILL: it notices nothing.
func (m *Manager) Kill() {
	if m.Running() {
		m.process.Kill()
	}
}

// Stop ends it with SIGTERM.
func (m *Manager) Stop() error { return m.process.Stop(patience) }

// PID is the process's identifier.
func (m *Manager) PID() int { return m.process.PID() }

// Done is closed when the process has ended.
func (m *Manager) Done() <-chan struct{} { return m.process.Done() }

// Log is all that was written by all processes so far.
func (m *Manager) Log() string {
	raw, err := os.ReadFile(m.spec.Log)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// Memory is the resident memory of a process, in MiB. Anonymous memory is what the process cannot do without; pages of the
// program's file are dropped when others need the room.
type Memory struct{ Resident, Peak, Anonymous float64 }

// Memory reads how much the process has.
func (m *Manager) Memory() (Memory, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.process.PID()), "status"))
	if err != nil {
		return Memory{}, fmt.Errorf("reading resident memory: %w", err)
	}
	var memory Memory
	fields := map[string]*float64{"VmRSS": &memory.Resident, "VmHWM": &memory.Peak, "RssAnon": &memory.Anonymous}
	for line := range strings.Lines(string(raw)) {
		name, rest, _ := strings.Cut(line, ":")
		field, ok := fields[name]
		if !ok {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
		if err != nil {
			return Memory{}, fmt.Errorf("reading resident memory: %w", err)
		}
		*field = kib / 1024
	}
	return memory, nil
}

// tokenKubeconfig writes a kubeconfig of the deployed ServiceAccount.
func (c *ControlPlane) tokenKubeconfig(ctx context.Context, d *Deployment, path string) error {
	seconds := int64(tokenSeconds)
	token, err := c.Kube.CoreV1().ServiceAccounts(d.Namespace).CreateToken(ctx, d.ServiceAccount, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("requesting a token of ServiceAccount %s: %w", d.ServiceAccount, err)
	}
	const name = "workload"
	k := clientcmdapi.NewConfig()
	k.Clusters[name] = &clientcmdapi.Cluster{Server: c.admin.Host, CertificateAuthorityData: c.admin.CAData}
	k.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	k.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	k.CurrentContext = name
	if err := clientcmd.WriteToFile(*k, path); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	return nil
}

// Running tells whether there is a process.
func (m *Manager) Running() bool {
	if m.process == nil {
		return false
	}
	select {
	case <-m.process.Done():
		return false
	default:
		return true
	}
}

// Healthy asks the manager's health endpoint, as the probe of the Deployment does.
func (m *Manager) Healthy(ctx context.Context) error {
	status, page, err := m.get(ctx, probe, "/healthz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("asking for health: HTTP %d: %s", status, page)
	}
	return err
}

// get reads a page that the manager serves.
func (m *Manager) get(ctx context.Context, client *http.Client, path string) (status int, page string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://%s:%d%s", host, m.port, path), nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// probe does not check the certificate, which is self-signed: a kubelet's probe does not either.
var probe = client(tls.Certificate{})

// client gives a client with a certificate, if it is not empty.
func client(certificate tls.Certificate) *http.Client {
	config := &tls.Config{InsecureSkipVerify: true}
	if certificate.Certificate != nil {
		config.Certificates = []tls.Certificate{certificate}
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
}

// Metrics reads the manager's metrics, as an administrator of the cluster or as nobody.
func (w *World) Metrics(administrator bool) (status int, page string) {
	w.t.Helper()
	reader := probe
	if administrator {
		certificate, err := tls.X509KeyPair(w.ctl.admin.CertData, w.ctl.admin.KeyData)
		require.NoError(w.t, err)
		reader = client(certificate)
	}
	status, page, err := w.Manager.get(w.ctx(), reader, "/metrics")
	require.NoError(w.t, err)
	return status, page
}
