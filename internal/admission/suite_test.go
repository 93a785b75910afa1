package admission_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/admission"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// deadline limits how long the tests wait until the API server uses a change. tick is the polling interval.
const (
	deadline = 2 * time.Minute
	tick     = 50 * time.Millisecond
)

var (
	// server contains the configuration for clients of the API server.
	server *rest.Config

	// api is a client with strict field validation, as kubectl apply has. The API server rejects unknown fields.
	api client.Client

	// warnings stores the warnings that the API server sends to api.
	warnings warningLog
)

// warningLog stores warnings of the API server.
type warningLog struct{ messages []string }

// HandleWarningHeader implements rest.WarningHandler.
func (l *warningLog) HandleWarningHeader(_ int, _, text string) {
	l.messages = append(l.messages, text)
}

// TestMain runs all tests against a real API server with the CRDs and webhooks of this project.
func TestMain(m *testing.M) {
	apiserver.Main(apiserver.Options{CRDs: true, Webhooks: true}, func(environment *envtest.Environment) (int, error) {
		server = environment.Config
		return runTests(m, environment.WebhookInstallOptions)
	})
}

// runTests runs all tests while a manager serves the webhooks. It returns the exit code.
func runTests(m *testing.M, options envtest.WebhookInstallOptions) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped, err := startWebhooks(ctx, options)
	if err != nil {
		return 1, err
	}
	code := m.Run()
	cancel()
	return code, <-stopped
}

// startWebhooks starts a manager with the webhooks and waits until the webhooks respond. The returned channel receives the error
// that the manager returns when it ends.
func startWebhooks(ctx context.Context, options envtest.WebhookInstallOptions) (<-chan error, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := infrav1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(server, ctrl.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, GracefulShutdownTimeout: new(deadline),
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: options.LocalServingHost, Port: options.LocalServingPort, CertDir: options.LocalServingCertDir,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := admission.SetupWithManager(ctx, mgr); err != nil {
		return nil, err
	}
	warning := rest.CopyConfig(server)
	warning.WarningHandler = &warnings
	strict, err := client.New(warning, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making the client: %w", err)
	}
	api = client.WithFieldValidation(strict, metav1.FieldValidationStrict)

	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	started := mgr.GetWebhookServer().StartedChecker()
	return stopped, wait.PollUntilContextTimeout(ctx, tick, deadline, true,
		func(context.Context) (bool, error) { return started(nil) == nil, nil })
}

// namespace creates a namespace for one test.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	require.NoError(t, api.Create(t.Context(), ns))
	return ns.Name
}

// manifests returns the objects in the file at path.
func manifests(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(content)), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		if decoder.Decode(object) != nil {
			break
		}
		objects = append(objects, object)
	}
	require.NotEmpty(t, objects, "%s contains no object", path)
	return objects
}
