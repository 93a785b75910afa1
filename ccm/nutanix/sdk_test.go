package nutanix_test

import (
	"bytes"
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	networkclient "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/client"
	vmmapi "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/api"
)

// TestWhyTheSDKsClientIsNotUsed states the facts that ADR 12 rests on. A failure here is good news: an SDK has mended one,
// and the decision can be looked at again.
func TestWhyTheSDKsClientIsNotUsed(t *testing.T) {
	t.Run("it panics on a proxy's page", func(t *testing.T) {
		c := newCentral(t)
		c.On(vmPath, answer(404, "<html>", "Content-Type", "text/html"))
		v := newVendor(t, c)
		assert.Panics(t, func() { _, _ = v.vms.GetVmById(ptr.To(vmUUID)) })
	})
	t.Run("it panics on a proxy's page that claims success", func(t *testing.T) {
		c := newCentral(t)
		c.On(vmPath, answer(200, "<html>", "Content-Type", "text/html"))
		v := newVendor(t, c)
		assert.Panics(t, func() { _, _ = v.vms.GetVmById(ptr.To(vmUUID)) })
	})
	t.Run("it takes an answer that is no JSON for a success", func(t *testing.T) {
		c := newCentral(t)
		c.On(vmPath, answer(200, `{"data":{"extId":`))
		got, err := newVendor(t, c).vms.GetVmById(ptr.To(vmUUID))
		require.NoError(t, err)
		assert.Nil(t, got.GetData())
	})
	t.Run("it does not negotiate with pc.2024.3", func(t *testing.T) {
		c := newCentral(t)
		c.Version = "v4.0"
		c.On(vmPath, answer(200, aVM))
		_, err := newVendor(t, c).vms.GetVmById(ptr.To(vmUUID))
		require.NoError(t, err)
		assert.Equal(t, "/api/vmm/v4.2/ahv/config/vms/"+vmUUID, c.Requests()[0].Path)
	})
	t.Run("its calls take no context, and it no certificates", func(t *testing.T) {
		get, ok := reflect.TypeFor[*vmmapi.VmApi]().MethodByName("GetVmById")
		require.True(t, ok)
		assert.Equal(t, reflect.TypeFor[*string](), get.Type.In(1), "the first argument is not a context")
		client := reflect.TypeFor[networkclient.ApiClient]()
		for i := range client.NumField() {
			field := client.Field(i)
			if field.IsExported() {
				assert.NotContains(t, []string{"*tls.Config", "*x509.CertPool", "http.RoundTripper", "*http.Client"}, field.Type.String(), field.Name)
			}
		}
	})
	t.Run("it writes to stderr for each call", func(t *testing.T) {
		assert.Contains(t, stderrOfOneCall(t), "/ahv/config/vms/"+vmUUID)
	})
}

const inChild = "CAPNT_TEST_ONE_SDK_CALL"

// stderrOfOneCall runs this test binary again to make one call in it.
func stderrOfOneCall(t *testing.T) string {
	t.Helper()
	var stderr bytes.Buffer
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOneSDKCall$")
	child.Env, child.Stderr, child.WaitDelay = append(os.Environ(), inChild+"=1"), &stderr, time.Minute
	require.NoError(t, child.Run())
	return stderr.String()
}

// TestOneSDKCall is what stderrOfOneCall runs; by itself it proves that the call succeeds.
func TestOneSDKCall(t *testing.T) {
	c := newCentral(t)
	c.On(vmPath, answer(200, aVM))
	v := newVendor(t, c)
	if os.Getenv(inChild) != "" {
		v.vms.ApiClient.LoggerFile = ""
	}
	_, err := v.vms.GetVmById(ptr.To(vmUUID))
	require.NoError(t, err)
}
