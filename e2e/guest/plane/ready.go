package plane

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/capnt/capnt/e2e/guest/pki"
	"github.com/capnt/capnt/e2e/guest/process"
)

const (
	probeInterval = 100 * time.Millisecond
	probeTimeout  = 5 * time.Second
	// maxAnswer is the maximum length of an error response in a message, in bytes. Longer responses are truncated.
	maxAnswer = 4096
)

// waitReady polls the URL until the server responds with 200, the process exits, or ctx is cancelled.
func waitReady(ctx context.Context, p *process.Process, url string, authority *pki.Authority, pair pki.Pair) error {
	certificate, err := pair.TLS()
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", p.Name(), err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12,
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: probeTimeout}

	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		answer := probe(ctx, client, url)
		if answer == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; its output is in %s; last response: %s", p.Name(), ctx.Err(), p.Log(), answer)
		case <-p.Done():
			return fmt.Errorf("waiting for %s: it ended (%v); its output is in %s", p.Name(), p.Err(), p.Log())
		case <-ticker.C:
		}
	}
}

// probe requests the URL. It returns an empty string if the server responds with 200, and a description of the problem
// otherwise.
func probe(ctx context.Context, client *http.Client, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return ""
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return fmt.Sprintf("%s: %s", response.Status, body)
}
