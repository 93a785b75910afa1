package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

const providerConfig = `
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "1.9.5"
    }
  }
}

provider "nutanix" {}

data "nutanix_clusters" "all" {}

resource "nutanix_category_key" "mark" {
  name = "KubernetesClusterName"
}

output "names" {
  value = data.nutanix_clusters.all.entities[*].name
}
`

// providerCentral returns a central that responds to the requests for providerConfig. The first request for the list of clusters gets a
// transient error.
func providerCentral(t *testing.T) *central {
	var faults atomic.Int32
	return newCentral(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch req.Method + " " + req.URL.Path {
		case "POST /api/nutanix/v3/clusters/list":
			if faults.Add(1) == 1 {
				// Provider 1.9.5 would treat this response as success and then crash.
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"code":429,"reason":"slow down"}`)
				return
			}
			_, _ = io.WriteString(w, `{"api_version":"3.1","metadata":{"kind":"cluster","total_matches":1,"length":1,"offset":0},"entities":[
				{"metadata":{"kind":"cluster","uuid":"11111111-1111-4111-8111-111111111111","spec_version":0,"categories":{}},
				"spec":{"name":"pe1","resources":{}},
				"status":{"name":"pe1","state":"COMPLETE","resources":{"config":{"service_list":["AOS"],"build":{"version":"6.5"}},
				"network":{"external_ip":"10.0.0.1"},"nodes":{},"analysis":{"vm_efficiency_map":{}}}}}]}`)
		case "PUT /api/nutanix/v3/categories/KubernetesClusterName", "GET /api/nutanix/v3/categories/KubernetesClusterName":
			_, _ = io.WriteString(w, `{"api_version":"3.1","name":"KubernetesClusterName","description":null,"system_defined":false}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"api_version":"3.1","code":404,"kind":"error","state":"ERROR","message_list":[{"message":"no such thing","reason":"ENTITY_NOT_FOUND"}]}`)
		}
	})
}

// startForProvider runs a gateway on port 9440 of a loopback address on which this port is free. The port is fixed, because provider
// 1.9.5 ignores NUTANIX_PORT.
func startForProvider(t *testing.T) *Gateway {
	t.Helper()
	for last := 2; last < 250; last++ {
		options := testOptions(t)
		options.Address = fmt.Sprintf("127.94.40.%d:9440", last)
		gateway, err := New(options)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		require.NoError(t, err)
		serve(t, gateway)
		return gateway
	}
	t.Fatal("no loopback address has port 9440 free")
	return nil
}

// workspace is the directory of a run in which terraform init has been executed.
type workspace struct {
	dir, terraform string
}

// newWorkspace returns a workspace with provider 1.9.5.
func newWorkspace(t *testing.T, config string) *workspace {
	t.Helper()
	return newWorkspaceWith(t, toolbox.Provider{Version: "1.9.5"}, config)
}

func newWorkspaceWith(t *testing.T, provider toolbox.Provider, config string) *workspace {
	t.Helper()
	w := &workspace{dir: t.TempDir(), terraform: toolbox.Path(t, "bin/terraform")}
	w.write(t, "main.tf", config)
	w.write(t, "cli.tfrc", fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", provider.Mirror(t)))
	output, err := w.run(t, nil, "init", "-input=false", "-no-color")
	require.NoError(t, err, output)
	return w
}

func (w *workspace) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600))
}

// run executes terraform with the environment of session.
func (w *workspace) run(t *testing.T, session *Session, args ...string) (string, error) {
	t.Helper()
	env := map[string]string{}
	if session != nil {
		w.write(t, "gateway.pem", string(session.CABundle()))
		env = session.Env()
		env["SSL_CERT_FILE"] = filepath.Join(w.dir, "gateway.pem")
	}
	return w.runWith(t, env, args...)
}

// runWith executes terraform with the environment env.
func (w *workspace) runWith(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), w.terraform, args...)
	cmd.Dir = w.dir
	cmd.Env = []string{"HOME=" + w.dir, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "cli.tfrc")}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// writes returns the requests to central that could change something.
func writes(central *central) []string {
	var found []string
	for _, request := range central.seen() {
		if request.method != http.MethodGet && !strings.HasSuffix(request.path, "/list") {
			found = append(found, request.method+" "+request.path)
		}
	}
	return found
}

// TestProviderWorksThroughTheGateway makes a plan and applies it with the real Terraform and the real provider 1.9.5.
func TestProviderWorksThroughTheGateway(t *testing.T) {
	workspace := newWorkspace(t, providerConfig)
	central := providerCentral(t)
	gateway := startForProvider(t)
	const password = "the-real-password"
	upstream := central.upstream("admin", password)

	planning := open(t, gateway, RunOptions{Upstream: upstream, Mode: ReadOnly, Object: "plan"})
	output, err := workspace.run(t, planning, "plan", "-input=false", "-no-color", "-out=plan.bin")
	require.NoError(t, err, output)
	assert.Contains(t, output, "Plan: 1 to add")
	assert.Contains(t, output, "pe1")
	assert.Empty(t, writes(central))
	assert.Positive(t, planning.Calls())

	output, err = workspace.run(t, planning, "apply", "-input=false", "-no-color", "plan.bin")
	require.Error(t, err, output)
	assert.Contains(t, output, ReasonReadOnly, "the user sees why the write was refused")
	assert.Empty(t, writes(central))
	planning.Close()

	output, err = workspace.run(t, planning, "plan", "-input=false", "-no-color")
	require.Error(t, err, output)
	assert.Contains(t, output, "invalid auth Credentials", "the session is closed")

	// The failed apply has written a new state, so the old plan is stale.
	again := open(t, gateway, RunOptions{Upstream: upstream, Mode: ReadOnly, Object: "plan again"})
	output, err = workspace.run(t, again, "plan", "-input=false", "-no-color", "-out=plan.bin")
	require.NoError(t, err, output)
	again.Close()

	applying := open(t, gateway, RunOptions{Upstream: upstream, Mode: ReadWrite, Object: "apply"})
	output, err = workspace.run(t, applying, "apply", "-input=false", "-no-color", "plan.bin")
	require.NoError(t, err, output)
	assert.Equal(t, []string{"PUT /api/nutanix/v3/categories/KubernetesClusterName"}, writes(central))

	secrets := []string{password, planning.Env()["NUTANIX_PASSWORD"], applying.Env()["NUTANIX_PASSWORD"]}
	files, err := filepath.Glob(filepath.Join(workspace.dir, "*"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // a directory has no content
		}
		for _, secret := range secrets {
			assert.NotContains(t, string(content), secret, file)
		}
	}
}
