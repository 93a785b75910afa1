package controllertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/capnt/capnt/internal/terraform"
)

// session sends requests to Prism through the gateway, as the provider does during a run.
type session struct {
	client *http.Client
	env    map[string]string
}

func newSession(options terraform.RunOptions) *session {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(options.CABundle)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	return &session{client: &http.Client{Transport: transport}, env: options.Env}
}

// send sends a request of the v3 API and returns the response body. If the status code is not a success, send returns
// an error that contains the body.
func (s *session) send(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	url := "https://" + net.JoinHostPort(s.env["NUTANIX_ENDPOINT"], s.env["NUTANIX_PORT"]) + basePath + path
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(s.env["NUTANIX_USERNAME"], s.env["NUTANIX_PASSWORD"])
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	reply, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, reply)
	}
	return reply, err
}
