package controllertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/capnt/capnt/internal/terraform"
)

// runAgent is the user agent of Terraform runs.
const runAgent = "terraform"

// session sends requests through the gateway: to Prism as the provider does during a run, and to the state as Terraform
// does.
type session struct {
	client *http.Client
	env    map[string]string
	// other is the state in a backend other than kubernetes. It is nil if the gateway serves the state.
	other *[]byte
}

func newSession(options terraform.RunOptions, other *[]byte) *session {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(options.CABundle)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	return &session{client: &http.Client{Transport: transport}, env: options.Env, other: other}
}

// send sends a request of the v3 API and returns the response body. If the status code is not a success, send returns
// an error that contains the body.
func (s *session) send(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return s.sendTo(ctx, method, basePath+path, body)
}

// sendTo is like send, for a path that starts with the name of an API.
func (s *session) sendTo(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return s.request(ctx, method, "https://"+net.JoinHostPort(s.env["NUTANIX_ENDPOINT"], s.env["NUTANIX_PORT"])+path, body)
}

// readState reads the state of the run. It returns an empty state if there is none yet.
func (s *session) readState(ctx context.Context) (*terraform.State, error) {
	content, err := s.pull(ctx)
	if err != nil {
		return nil, err
	}
	return terraform.ParseState(content)
}

func (s *session) pull(ctx context.Context) ([]byte, error) {
	if s.other != nil {
		return *s.other, nil
	}
	return s.request(ctx, http.MethodGet, s.env["TF_HTTP_ADDRESS"], nil)
}

// writeState writes the state of the run with the next serial, under a lock.
func (s *session) writeState(ctx context.Context, state *terraform.State, outputs map[string]any) error {
	type fields map[string]any
	values, resources := fields{}, []fields{}
	for name, value := range outputs {
		values[name] = fields{"value": value}
	}
	for _, resource := range state.Resources {
		parts := strings.Split(resource.Address, ".") // module.<module>.<type>.<name>
		resources = append(resources, fields{"module": "module." + parts[1], "mode": "managed", "type": parts[2], "name": parts[3],
			"instances": []fields{{"attributes": fields{"id": resource.ID}, "status": map[bool]any{true: "tainted"}[resource.Tainted]}}})
	}
	content, err := json.Marshal(fields{"version": 4, "serial": state.Serial + 1, "lineage": "lineage", "outputs": values, "resources": resources})
	if err != nil {
		return err
	}
	if s.other != nil {
		*s.other = content
		return nil
	}
	const id = "lock"
	lock := []byte(`{"ID": "` + id + `"}`)
	for _, call := range []struct {
		method, query string
		body          []byte
	}{{"LOCK", "", lock}, {http.MethodPost, "?ID=" + id, content}, {"UNLOCK", "", lock}} {
		if _, err := s.request(ctx, call.method, s.env["TF_HTTP_ADDRESS"]+call.query, call.body); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) request(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(s.env["NUTANIX_USERNAME"], s.env["NUTANIX_PASSWORD"])
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", runAgent)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	reply, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %d %s", method, url, response.StatusCode, reply)
	}
	return reply, err
}
