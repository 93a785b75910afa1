package prismsim_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestFaultReturnsProxyPage(t *testing.T) {
	s := start(t, nil)
	const page = "<html><body>404 Not Found</body></html>"
	setFault(t, s, prismsim.Fault{Path: "/vms/", Status: http.StatusNotFound, Body: page, ContentType: "text/html", Times: 1})
	response, body := request(t, s, http.MethodGet, "/api/"+vmsPath+"/11111111-2222-4333-8444-555555555555", "", nil)
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
	assert.Equal(t, "text/html", response.Header.Get("Content-Type"))
	assert.Equal(t, page, body)
}

func TestStatusesOfFaultsHaveTheV4Form(t *testing.T) {
	s := start(t, nil)
	for status, group := range map[int]string{
		http.StatusTooManyRequests: "RATE_LIMIT_EXCEEDED", http.StatusServiceUnavailable: "SERVICE_UNAVAILABLE", http.StatusInternalServerError: "INTERNAL_ERROR",
	} {
		setFault(t, s, prismsim.Fault{Path: "/v4", Status: status, RetryAfter: 2 * time.Second, Times: 1})
		got, body := v4(t, s, http.MethodGet, "networking/v4.2/config/subnets", "")
		assert.Equal(t, status, got)
		assert.Equal(t, "networking.v4.error.ErrorResponse", body["$objectType"])
		assert.Equal(t, group, valueAt(t, body, "error", 0, "errorGroup"))
	}
}

func TestV4ListIsTruncated(t *testing.T) {
	s := start(t, nil)
	_, err := s.AddVMs(prismsim.Fleet{Count: 5, NamePrefix: "vm", PrismElement: "nutanix-cluster-1"})
	require.NoError(t, err)
	setFault(t, s, prismsim.Fault{Path: "/vms$", Half: true, Times: 1})
	for _, want := range []int{3, 5} {
		status, body := v4(t, s, http.MethodGet, vmsPath, "")
		assert.Equal(t, http.StatusOK, status)
		assert.Len(t, body["data"], want)
		assert.EqualValues(t, 5, valueAt(t, body, "metadata", "totalAvailableResults"), "only the count shows that items are missing")
	}
}

func TestResponseIsCut(t *testing.T) {
	s := start(t, nil)
	addVM(t, s, nil)
	setFault(t, s, prismsim.Fault{Path: "/vms$", Cut: true, Times: 1})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/"+vmsPath, nil)
	require.NoError(t, err)
	r.SetBasicAuth(testUser, testPassword)
	response, err := (&http.Client{Transport: transport(s)}).Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	part, err := io.ReadAll(response.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Len(t, part, int(response.ContentLength/2))
}
