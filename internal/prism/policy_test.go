package prism_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prism"
)

// addPolicy creates an anti-affinity policy for a category as another client of Prism Central does.
func (s simulated) addPolicy(t *testing.T, name, category string) {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(s.CABundle()))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	body := fmt.Sprintf(`{"name":%q,"categories":[{"extId":%q}]}`, name, category)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		s.URL()+"/api/vmm/v4.2/ahv/policies/vm-anti-affinity-policies", strings.NewReader(body))
	require.NoError(t, err)
	request.SetBasicAuth(s.Username(), password)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("NTNX-Request-Id", uuid.NewString())
	before := len(s.AntiAffinityPolicies())
	response, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	require.Eventually(t, func() bool { return len(s.AntiAffinityPolicies()) > before }, time.Minute, 10*time.Millisecond)
}

// TestAntiAffinityPoliciesAreFoundByTheirCategory checks that other policies are left out.
func TestAntiAffinityPoliciesAreFoundByTheirCategory(t *testing.T) {
	s := simulate(t)
	client := s.clients[prism.V4]
	ours, err := s.CategoryID("KubernetesClusterName", "c1")
	require.NoError(t, err)
	other, err := s.CategoryID("KubernetesClusterName", "c2")
	require.NoError(t, err)
	found, err := client.AntiAffinityPoliciesOf(t.Context(), ours)
	require.NoError(t, err)
	assert.Empty(t, found)

	s.addPolicy(t, "other", other)
	s.addPolicy(t, "ours", ours)
	want := prism.AntiAffinityPolicy{UUID: s.AntiAffinityPolicies()[1].UUID, Name: "ours", Categories: []string{ours}}
	found, err = client.AntiAffinityPoliciesOf(t.Context(), strings.ToUpper(ours))
	require.NoError(t, err)
	assert.Equal(t, []prism.AntiAffinityPolicy{want}, found)
	policy, err := client.AntiAffinityPolicy(t.Context(), want.UUID)
	require.NoError(t, err)
	assert.Equal(t, &want, policy)

	_, err = client.AntiAffinityPolicy(t.Context(), unknown)
	var missing *prism.NotFoundError
	require.ErrorAs(t, err, &missing)
	_, err = s.clients[prism.V3].AntiAffinityPolicy(t.Context(), want.UUID)
	require.ErrorContains(t, err, "the v3 API of Prism Central has none")
	_, err = s.clients[prism.V3].AntiAffinityPoliciesOf(t.Context(), ours)
	require.ErrorContains(t, err, "the v3 API of Prism Central has none")
}
