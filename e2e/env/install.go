package env

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

const clusterAPIModule = "sigs.k8s.io/cluster-api"

// webhookTimeout is the timeout of each webhook in seconds. It is the longest timeout that the API server accepts,
// because all processes share a few CPU cores and may be slow.
const webhookTimeout = 30

// providers contains the directories of Cluster API's providers in the Go module of Cluster API.
var providers = []string{"core", "bootstrap/kubeadm", "controlplane/kubeadm"}

// hooks contains the address and the certificate of a webhook server.
type hooks struct {
	port int
	// dir is the directory that contains tls.crt and tls.key.
	dir       string
	authority []byte
}

// newHooks finds a free port for a webhook server and issues the serving certificate.
func (e *Environment) newHooks(name string) (*hooks, error) {
	ports, err := freeport.Find(host, 1)
	if err != nil {
		return nil, err
	}
	pair, err := e.plane.authority.Issue(pki.Request{CommonName: name + " webhooks", DNSNames: []string{"localhost"}, IPs: []net.IP{net.ParseIP(host)}})
	if err != nil {
		return nil, err
	}
	h := &hooks{port: ports[0], dir: filepath.Join(e.options.Dir, name+"-webhooks"), authority: e.plane.authority.PEM}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, err
	}
	return h, errors.Join(
		os.WriteFile(filepath.Join(h.dir, "tls.crt"), pair.Certificate, 0o600),
		os.WriteFile(filepath.Join(h.dir, "tls.key"), pair.Key, 0o600),
	)
}

// options returns the hooks as options of envtest, which writes them into webhook and conversion configurations.
func (h *hooks) options() envtest.WebhookInstallOptions {
	return envtest.WebhookInstallOptions{
		LocalServingHost: host, LocalServingPort: h.port, LocalServingCertDir: h.dir, LocalServingCAData: h.authority,
		IgnoreSchemeConvertible: true, MaxTime: installTimeout,
	}
}

// installClusterAPI installs the CRDs and webhook configurations of Cluster API's providers.
func (e *Environment) installClusterAPI() (*hooks, error) {
	module, err := moduleDir(clusterAPIModule)
	if err != nil {
		return nil, err
	}
	h, err := e.newHooks("cluster-api")
	if err != nil {
		return nil, err
	}
	read := envtest.CRDInstallOptions{ErrorIfPathMissing: true}
	var manifests []string
	for _, provider := range providers {
		read.Paths = append(read.Paths, filepath.Join(module, provider, "config/crd/bases"))
		manifests = append(manifests, filepath.Join(module, provider, "config/webhook/manifests.yaml"))
	}
	if err := envtest.ReadCRDFiles(&read); err != nil {
		return nil, fmt.Errorf("reading the CRDs of Cluster API: %w", err)
	}
	for _, crd := range read.CRDs {
		labelContract(crd)
	}
	install := envtest.CRDInstallOptions{CRDs: read.CRDs, WebhookOptions: h.options(), MaxTime: installTimeout}
	if _, err := envtest.InstallCRDs(e.config, install); err != nil {
		return nil, fmt.Errorf("installing the CRDs of Cluster API: %w", err)
	}
	return h, installWebhooks(e.config, h, manifests)
}

// labelContract adds the labels with which Cluster API finds the versions that implement a contract. In a release,
// Kustomize adds these labels to the CRDs, but the generated files do not contain them.
func labelContract(crd *apiextensionsv1.CustomResourceDefinition) {
	metav1.SetMetaDataLabel(&crd.ObjectMeta, clusterv1.GroupVersion.Group+"/v1beta1", "v1beta1")
	metav1.SetMetaDataLabel(&crd.ObjectMeta, clusterv1.GroupVersion.Group+"/v1beta2", "v1beta2")
}

// installWebhooks creates the webhook configurations that the manifests contain. It appends a number to the names of the
// configurations, because all of Cluster API's manifests use the same two names.
func installWebhooks(config *rest.Config, h *hooks, manifests []string) error {
	options := h.options()
	for i, manifest := range manifests {
		mutating, validating, err := readWebhooks(manifest)
		if err != nil {
			return err
		}
		for _, m := range mutating {
			m.Name = fmt.Sprintf("%s-%d-%d", m.Name, h.port, i)
			for j := range m.Webhooks {
				m.Webhooks[j].TimeoutSeconds = ptr.To[int32](webhookTimeout)
			}
		}
		for _, v := range validating {
			v.Name = fmt.Sprintf("%s-%d-%d", v.Name, h.port, i)
			for j := range v.Webhooks {
				v.Webhooks[j].TimeoutSeconds = ptr.To[int32](webhookTimeout)
			}
		}
		options.MutatingWebhooks = append(options.MutatingWebhooks, mutating...)
		options.ValidatingWebhooks = append(options.ValidatingWebhooks, validating...)
	}
	if err := options.ModifyWebhookDefinitions(); err != nil {
		return fmt.Errorf("pointing webhooks at port %d: %w", h.port, err)
	}
	if err := options.Install(config); err != nil {
		return fmt.Errorf("installing webhooks of %s: %w", strings.Join(manifests, ", "), err)
	}
	return nil
}

func readWebhooks(path string) (
	mutating []*admissionv1.MutatingWebhookConfiguration, validating []*admissionv1.ValidatingWebhookConfiguration, err error,
) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading webhooks: %w", err)
	}
	for _, document := range splitYAML(content) {
		var head metav1.TypeMeta
		err := yaml.Unmarshal(document, &head)
		switch head.Kind {
		case "MutatingWebhookConfiguration":
			m := &admissionv1.MutatingWebhookConfiguration{}
			err = yaml.Unmarshal(document, m)
			mutating = append(mutating, m)
		case "ValidatingWebhookConfiguration":
			v := &admissionv1.ValidatingWebhookConfiguration{}
			err = yaml.Unmarshal(document, v)
			validating = append(validating, v)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading webhooks %s: %w", path, err)
		}
	}
	return mutating, validating, nil
}

// moduleDir returns the source directory of a Go module. The directory contains CRDs and webhook configurations.
func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("looking for module %s with go list: %w", module, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" || !slices.ContainsFunc(providers, func(p string) bool { return exists(filepath.Join(dir, p)) }) {
		return "", fmt.Errorf("module %s is not in the module cache: run go mod download", module)
	}
	return dir, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
