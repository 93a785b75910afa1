package terraform

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prismResponse is a response of Prism Central and the class that is expected for it.
type prismResponse struct {
	name   string
	status int
	body   string
	want   Class
}

// TestProviderFailuresAreClassified uses the real provider and a fake Prism Central that sends the same response to every request.
func TestProviderFailuresAreClassified(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		const password = "token-of-this-run"
		var response atomic.Pointer[prismResponse]
		prism := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			now := response.Load()
			w.WriteHeader(now.status)
			_, _ = w.Write([]byte(now.body))
		}))
		t.Cleanup(prism.Close)
		address, err := url.Parse(prism.URL)
		require.NoError(t, err)
		run := open(t, terraform, RunOptions{
			Files: workspace(newStateServer(t).backend(), fmt.Sprintf(`
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "1.9.5"
    }
  }
}
provider "nutanix" {
  port = %q
}
resource "nutanix_virtual_machine" "this" {
  name         = "vm"
  cluster_uuid = "0005b6b1-3d06-ce12-0000-0000000093a4"
}
import {
  to = nutanix_virtual_machine.this
  id = "3bbf8ae6-17d6-44b5-9b6b-61ad5f1a6ae5"
}
`, address.Port())),
			Env:      map[string]string{"NUTANIX_ENDPOINT": address.Hostname(), "NUTANIX_USERNAME": "user-of-this-run", "NUTANIX_PASSWORD": password},
			CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: prism.Certificate().Raw}),
		})
		for _, test := range []prismResponse{
			{"wrong password", 401, `{}`, Authentication},
			{"server error", 500, `{"state":"ERROR","code":500,"message_list":[{"message":"broken","reason":"INTERNAL_ERROR"}]}`, Transient},
			{"too many requests", 429, `{"state":"ERROR","code":429,"message_list":[{"message":"slow down ` + password + `","reason":"TOO_MANY_REQUESTS"}]}`, Transient},
			{"page of a proxy", 502, `<html>Bad Gateway</html>`, Transient},
			{"empty response", 503, ``, Transient},
			{"quota", 422, `{"state":"ERROR","code":422,"message_list":[{"message":"Quota exceeded","reason":"QUOTA"}]}`, Quota},
			{"refused request", 422, `{"state":"ERROR","code":422,"message_list":[{"message":"name exceeds the maximum limit of the quota","reason":"INVALID_ARGUMENT"}]}`, Rejected},
			{"bad request", 400, `{}`, Rejected},
			{"no permission", 403, `{"state":"ERROR","code":403,"message_list":[{"message":"no access","reason":"ACCESS_DENIED"}]}`, Permission},
			{"certificate", 502, `{"state":"ERROR","code":502,"message_list":[{"message":"unknown authority","reason":"GATEWAY_CERTIFICATE_NOT_TRUSTED"}]}`, Certificate},
			{"unreachable", 502, `{"state":"ERROR","code":502,"message_list":[{"message":"no route","reason":"GATEWAY_PRISM_CENTRAL_UNREACHABLE"}]}`, Unreachable},
			{"crash", 429, `{"code":429,"reason":"without a state"}`, ProviderPanic},
		} {
			response.Store(&test)
			_, err := run.Plan(t.Context(), PlanOptions{})
			assert.Equal(t, test.want, ClassOf(err), "%s: %v", test.name, err)
			assert.Equal(t, SourceProvider, SourceOf(err), "%s: %v", test.name, err)
			assert.NotContains(t, err.Error(), password, test.name)
			if test.want == ProviderPanic {
				assert.Contains(t, err.Error(), "panic: ", "the message contains what the provider has printed")
			}
		}
	})
}

// startsProvider is the variable that is set in the helper process of TestProviderEndsWithItsManager.
const startsProvider = "CAPNT_TEST_STARTS_PROVIDER"

// TestProviderEndsWithItsManager kills a process that has started a provider. The test binary is that process. The provider has a FIFO
// in the working directory open until it ends.
func TestProviderEndsWithItsManager(t *testing.T) {
	if os.Getenv(startsProvider) != "" {
		script := "#!/bin/sh\nexec 3<>fifo\necho '1|5|unix|none|grpc'\nread -r line <&3\n"
		require.NoError(t, os.WriteFile("provider", []byte(script), 0o700))
		_, err := startProvider(t.Context(), "./provider", ".", nil)
		require.NoError(t, err)
		_, err = os.Stdout.WriteString("started\n")
		require.NoError(t, err)
		<-t.Context().Done()
		return
	}
	dir := t.TempDir() // a killed process cannot remove a directory of its own
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	manager := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProviderEndsWithItsManager$")
	manager.Dir, manager.Env = dir, append(os.Environ(), startsProvider+"=yes")
	output, err := manager.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, manager.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if file, err := os.Open(fifo); err == nil {
			_, _ = io.ReadAll(file)
			_ = file.Close()
		}
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started\n", line)

	require.NoError(t, manager.Process.Kill())
	require.Error(t, manager.Wait())
	select {
	case <-ended:
	case <-time.After(time.Minute):
		assert.Fail(t, "the provider goes on")
		require.NoError(t, os.WriteFile(fifo, []byte("\n"), 0o600)) // ends the provider
	}
}
