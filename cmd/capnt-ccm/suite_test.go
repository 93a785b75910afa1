package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// Timeout and interval of waiting.
const (
	deadline = 3 * time.Minute
	tick     = 50 * time.Millisecond
)

// asProcess is the environment variable that makes the test binary run capnt-ccm.
const asProcess = "CAPNT_CCM_TEST_RUN_MAIN"

// serviceAccount is the user name of the service account in the manifests.
const serviceAccount = "system:serviceaccount:kube-system:capnt-ccm"

var (
	cluster  *rest.Config  // of an administrator
	api      client.Client // of an administrator
	auditLog string        // path of the log with all requests of the service account
)

func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		main()
		return
	}
	apiserver.Exit(runSuite(m))
}

// runSuite runs all tests against one real API server to which the manifests were applied.
func runSuite(m *testing.M) (int, error) {
	// Each command in this process configures logging, which is allowed only once without this setting.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	if err := logsapi.ValidateAndApply(logsapi.NewLoggingConfiguration(), nil); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "capnt-ccm-test-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	flags, err := audit(dir)
	if err != nil {
		return 1, err
	}
	return apiserver.Run(apiserver.Options{Flags: flags}, func(environment *envtest.Environment) (int, error) {
		cluster = environment.Config
		if err := install(); err != nil {
			return 1, fmt.Errorf("applying config/ccm: %w", err)
		}
		if err := awaitRights(); err != nil {
			return 1, fmt.Errorf("waiting for the rights of %s: %w", serviceAccount, err)
		}
		ccm.Register()
		return m.Run(), nil
	})
}

// install applies the manifests.
func install() (err error) {
	if api, err = client.New(cluster, client.Options{}); err != nil {
		return err
	}
	objects, err := manifests()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := api.Create(context.Background(), object); err != nil {
			return err
		}
	}
	return nil
}

// awaitRights waits until the API server applies one right of each binding.
func awaitRights() error {
	return wait.PollUntilContextTimeout(context.Background(), tick, deadline, true, func(ctx context.Context) (bool, error) {
		for _, right := range []authorizationv1.ResourceAttributes{
			{Verb: "list", Resource: "nodes"},
			{Verb: "list", Resource: "secrets", Namespace: "kube-system", Name: "nutanix-creds"},
			{Verb: "get", Resource: "configmaps", Namespace: "kube-system", Name: "extension-apiserver-authentication"},
		} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: serviceAccount, ResourceAttributes: &right}}
			if err := api.Create(ctx, review); err != nil || !review.Status.Allowed {
				return false, err
			}
		}
		return true, nil
	})
}

// audit returns the flags with which the API server logs all requests of the service account.
func audit(dir string) (map[string]string, error) {
	policy, err := yaml.Marshal(map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": []string{"RequestReceived", "ResponseStarted"},
		"rules": []any{map[string]any{"level": "Metadata", "users": []string{serviceAccount}}, map[string]any{"level": "None"}},
	})
	if err != nil {
		return nil, err
	}
	auditLog = filepath.Join(dir, "audit.log")
	path := filepath.Join(dir, "policy.yaml")
	return map[string]string{"audit-policy-file": path, "audit-log-path": auditLog}, os.WriteFile(path, policy, 0o600)
}
