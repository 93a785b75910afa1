package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/tls"
	"crypto/x509"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// transcript is a buffer that one goroutine can read while another goroutine writes to it.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func TestServesUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	out := &transcript{}
	c := command()
	c.SetOut(out)
	c.SetArgs([]string{
		"--inventory", "../testdata/inventory.yaml", "--listen", "127.0.0.1:0", "--username", "tester", "--password", "pw",
		"--ca-out", caFile, "--fault", "GET /users/me$ status=503 times=1", "--rules", `{"noVersionInfo":true}`,
	})
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Interrupt to stop.") }, time.Minute, 5*time.Millisecond)
	assert.Contains(t, out.String(), "SSL_CERT_FILE="+caFile)

	address, err := url.Parse(regexp.MustCompile(`https://\S+`).FindString(out.String()))
	require.NoError(t, err)
	ca, err := os.ReadFile(caFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String()+"/api/nutanix/v3/users/me", nil)
		require.NoError(t, err)
		r.SetBasicAuth("tester", "pw")
		response, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, want, response.StatusCode)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, address.String()+"/api/vmm/unversioned/info", nil)
	require.NoError(t, err)
	r.SetBasicAuth("tester", "pw")
	response, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
	interrupt()
	require.NoError(t, <-done)
	assert.Contains(t, out.String(), "Stopped.")
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--inventory", "none.yaml"},
		{"--inventory", "../testdata/inventory.yaml", "--listen", "0.0.0.0:0"},
		{"--inventory", "../testdata/inventory.yaml", "--listen", "127.0.0.1:0", "--fault", "bad"},
		{"--inventory", "../testdata/inventory.yaml", "--listen", "127.0.0.1:0", "--rules", `{"colour":"red"}`},
		{"--inventory", "../testdata/inventory.yaml", "--listen", "127.0.0.1:0", "--ca-out", "none/ca.pem"},
	} {
		c := command()
		c.SetArgs(args)
		c.SetOut(&transcript{})
		c.SetErr(&transcript{})
		assert.Error(t, c.ExecuteContext(t.Context()), args)
	}
}
