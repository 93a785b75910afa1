package prismsim_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	prismgoclient "github.com/nutanix-cloud-native/prism-go-client"

	"github.com/capnt/capnt/e2e/prismsim"
)

const mePath = "/api/nutanix/v3/users/me"

func TestWrongPasswordIsRefusedAsPrismDoes(t *testing.T) {
	s := start(t, nil)
	response, body := request(t, s, http.MethodGet, mePath, "", func(r *http.Request) { r.SetBasicAuth(testUser, "wrong") })
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.Equal(t, `Basic realm="Intent Gateway Login Required"`, response.Header.Get("WWW-Authenticate"))
	assert.JSONEq(t, `{"state":"ERROR","code":401,"api_version":"3.1","message_list":[{"reason":"AUTHENTICATION_REQUIRED",
		"message":"Authentication required.","details":"Basic realm=\"Intent Gateway Login Required\""}]}`, body)

	_, err := connect(t, s, func(c *prismgoclient.Credentials) { c.Password = "wrong" }).ListAllVM(t.Context(), "")
	assert.ErrorContains(t, err, "invalid Nutanix credentials")
}

func TestCertificateIsVerifiable(t *testing.T) {
	s := start(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+mePath, nil)
	require.NoError(t, err)
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err == nil {
		require.NoError(t, response.Body.Close())
	}
	var unknown *tls.CertificateVerificationError
	assert.ErrorAs(t, err, &unknown)
}

// sessionOf returns the session cookie of a response.
func sessionOf(t *testing.T, response *http.Response) *http.Cookie {
	t.Helper()
	for _, c := range response.Cookies() {
		if c.Name == "NTNX_IGW_SESSION" {
			return c
		}
	}
	t.Fatal("the response has no cookie NTNX_IGW_SESSION")
	return nil
}

func TestSessionsLastUntilThePasswordChanges(t *testing.T) {
	s := start(t, nil)
	response, _ := request(t, s, http.MethodGet, mePath, "", nil)
	session := sessionOf(t, response)
	bySession := func(r *http.Request) {
		r.Header.Del("Authorization")
		r.AddCookie(session)
	}
	response, _ = request(t, s, http.MethodGet, mePath, "", bySession)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Empty(t, response.Cookies(), "a session is not renewed by itself")

	s.SetPassword("another")
	response, _ = request(t, s, http.MethodGet, mePath, "", bySession)
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	response, _ = request(t, s, http.MethodGet, mePath, "", func(r *http.Request) { r.SetBasicAuth(testUser, "another") })
	assert.Equal(t, http.StatusOK, response.StatusCode)

	requests := s.Requests()
	assert.Equal(t, testUser, requests[1].User, "the user of a session is known")
}

func TestSessionClientOfPrismGoClient(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, func(c *prismgoclient.Credentials) { c.SessionAuth = true })
	_, err := client.ListAllVM(t.Context(), "")
	require.NoError(t, err)
	me, err := client.GetCurrentLoggedInUser(t.Context())
	require.NoError(t, err)
	assert.Equal(t, testUser, *me.Status.Name)
}

func TestAPIKey(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.APIKey = "key-1" })
	for key, status := range map[string]int{"key-1": http.StatusOK, "key-2": http.StatusUnauthorized} {
		response, _ := request(t, s, http.MethodGet, mePath, "", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("X-Ntnx-Api-Key", key)
		})
		assert.Equal(t, status, response.StatusCode, key)
	}
}

func TestOnlyLoopbackAddressesAreServed(t *testing.T) {
	inventory, err := prismsim.LoadInventory("testdata/inventory.yaml")
	require.NoError(t, err)
	for _, address := range []string{"0.0.0.0:0", "192.0.2.1:9440", ":0"} {
		_, err := prismsim.New(prismsim.Options{Inventory: inventory, Password: "x", Address: address})
		assert.ErrorContains(t, err, "loopback", address)
	}
	_, err = prismsim.New(prismsim.Options{Inventory: inventory, Password: "x", Address: "127.0.0.1"})
	assert.ErrorContains(t, err, "host:port")
	_, err = prismsim.New(prismsim.Options{})
	assert.ErrorContains(t, err, "Options.Inventory")
}
