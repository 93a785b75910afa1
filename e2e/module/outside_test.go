package module

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

const (
	taskTimeout  = time.Minute
	taskInterval = 50 * time.Millisecond
)

// changeThroughV4 changes a VM as another client of the v4 API does, and waits for the end of the task. bodyFor returns the body of the
// request for the present VM.
func (f *fixture) changeThroughV4(vm, method, path string, bodyFor func(vm map[string]any) map[string]any) {
	f.t.Helper()
	pool := x509.NewCertPool()
	require.True(f.t, pool.AppendCertsFromPEM(f.prism.CABundle()))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	address := f.prism.URL() + "/api/vmm/v4.2/ahv/config/vms/" + vm

	present, etag := f.send(transport, http.MethodGet, address, nil, "")
	f.send(transport, method, address+path, bodyFor(present), etag)
	require.Eventually(f.t, func() bool {
		return !slices.ContainsFunc(f.prism.Tasks(), func(task prismsim.Task) bool { return task.Status != "SUCCEEDED" })
	}, taskTimeout, taskInterval)
}

// send sends a request to the v4 API. It returns the data of the response and its ETag.
func (f *fixture) send(transport *http.Transport, method, address string, body map[string]any, etag string) (map[string]any, string) {
	f.t.Helper()
	content, err := json.Marshal(body)
	require.NoError(f.t, err)
	request, err := http.NewRequestWithContext(f.t.Context(), method, address, bytes.NewReader(content))
	require.NoError(f.t, err)
	request.SetBasicAuth(f.prism.Username(), password)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("If-Match", etag)
	request.Header.Set("NTNX-Request-Id", uuid.NewString())
	response, err := transport.RoundTrip(request)
	require.NoError(f.t, err)
	defer func() { require.NoError(f.t, response.Body.Close()) }()
	var decoded struct{ Data map[string]any }
	require.NoError(f.t, json.NewDecoder(response.Body).Decode(&decoded))
	require.Less(f.t, response.StatusCode, http.StatusMultipleChoices, "%s %s: %v", method, address, decoded.Data)
	return decoded.Data, response.Header.Get("ETag")
}
