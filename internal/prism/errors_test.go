package prism

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErrorsOfResponses(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		for _, test := range []struct {
			name      string
			handler   http.HandlerFunc
			message   string
			retryable bool
		}{
			{"429", status(429), "it responded with 429 Too Many Requests (R: M)", true},
			{"500", status(500), "it responded with 500 Internal Server Error (R: M)", true},
			{"503", status(503), "it responded with 503", true},
			{"408", status(408), "it responded with 408", true},
			{"422", status(422), "it responded with 422 Unprocessable Entity (R: M)", false},
			{"302", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.invalid/")
				w.WriteHeader(http.StatusFound)
			}, "it responded with 302", false},
			{"an error without state", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"code":429,"reason":"x"}`)
			}, "it responded with 429", true},
			{"HTML instead of JSON", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "<html>maintenance</html>")
			}, "reading the response of Prism Central", true},
			{"an incomplete response", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, `{"metadata":`)
			}, "reading the response of Prism Central", true},
			{"401", status(401), "the credentials are refused (M), and they are tried again at ", false},
			{"403", status(403), "the account lacks the permission (M)", false},
		} {
			t.Run(test.name, func(t *testing.T) {
				central.failWith(test.handler)
				err := central.client(t).Ping(t.Context())
				require.ErrorContains(t, err, test.message)
				assert.Equal(t, test.retryable, Retryable(err))
				assert.Equal(t, test.retryable, Retryable(fmt.Errorf("resolving: %w", err)))
				assert.NotContains(t, err.Error(), "pw")
			})
		}
	})
}

func TestErrorUnderStatusIsReported(t *testing.T) {
	central := newCentral(t)
	central.failWith(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"status":{"state":"ERROR","message_list":[{"message":"M2","reason":"R2"}]}}`)
	})
	require.ErrorContains(t, central.client(t).Ping(t.Context()), "(R2: M2)")
}

func TestV4ErrorsWithoutResponse(t *testing.T) {
	central := newCentral(t)
	central.generation = V4
	client := central.client(t)
	_, err := client.VM(t.Context(), "..")
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.False(t, Retryable(err))
	central.miscount = 1
	_, err = client.AvailablePrismElements(t.Context())
	require.ErrorContains(t, err, "for clustermgmt/config/clusters: the list has 5 items of 6: the list is incomplete")
	assert.True(t, Retryable(err))
	central.Close()
	require.ErrorContains(t, client.Ping(t.Context()), "requesting clustermgmt/config/clusters from Prism Central "+client.address+": sending \"https://"+client.address)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { refuseAny(w, req, code, "R", "M") }
}

func TestPing(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		require.NoError(t, central.client(t).Ping(t.Context()))
		upstream := central.upstream()
		upstream.Password = "wrong"
		client, err := New(upstream, Options{API: central.generation})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		var refused *AuthenticationError
		require.ErrorAs(t, client.Ping(t.Context()), &refused)
		assert.Equal(t, upstream.Address, refused.Address)
	})
}

func TestUntrustedCertificateIsReported(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		upstream := central.upstream()
		upstream.CABundle = nil
		client, err := New(upstream, Options{API: central.generation})
		require.NoError(t, err)
		err = client.Ping(t.Context())
		var certificate *CertificateError
		require.ErrorAs(t, err, &certificate)
		assert.False(t, Retryable(err))
		assert.Empty(t, central.seen())
	})
}

func TestFailedConnectionIsRetryable(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client, err := New(Upstream{Address: "127.0.0.1:1", Username: "u", Password: "p"}, Options{API: central.generation}) // no server listens on this port
		require.NoError(t, err)
		assert.True(t, Retryable(client.Ping(t.Context())))

		release := make(chan struct{})
		central.failWith(func(http.ResponseWriter, *http.Request) { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		err = central.client(t).Ping(ctx)
		close(release)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, Retryable(err))
	})
}

func TestErrorsThatUsersMustCorrectAreNotRetryable(t *testing.T) {
	assert.False(t, Retryable(nil))
	assert.False(t, Retryable(errors.New("other")))
	for _, err := range []error{
		&NotFoundError{"image", `name "x"`}, &AmbiguousError{"image", `name "x"`, []string{"a", "b"}}, &InvalidError{"f", "r"},
		&WrongPrismElementError{`name "n"`, "pe", []string{"other"}}, &UnavailableError{GPU: "g"}, &CredentialError{}, &TrustBundleError{},
	} {
		assert.False(t, Retryable(err), err.Error())
		assert.Equal(t, strings.ToLower(err.Error()[:1]), err.Error()[:1])
	}
}
