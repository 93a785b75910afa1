package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/terraform"
)

func TestCheckMirror(t *testing.T) {
	mirror := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(mirror, terraform.ProviderSource, "1.9.5", "linux_amd64"), 0o700))

	require.NoError(t, checkMirror(mirror, "1.9.5"))
	err := checkMirror(mirror, "2.4.2")
	require.ErrorContains(t, err, "--provider-mirror="+mirror)
	require.ErrorContains(t, err, "in version 1.9.5, but --provider-version=2.4.2")
	assert.ErrorContains(t, checkMirror(t.TempDir(), "1.9.5"), terraform.ProviderSource+" is not in it")
}

func TestFindTerraformDownloadsFromTheMirrorAndSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var asked string
	mirror := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		asked = request.URL.Path
		http.NotFound(writer, request)
	}))
	defer mirror.Close()
	var said strings.Builder
	log := funcr.New(func(_, args string) { said.WriteString(args) }, funcr.Options{})
	options, err := parse("--terraform-download", "--terraform-releases-url="+mirror.URL+"/releases")
	require.NoError(t, err)

	_, err = findTerraform(t.Context(), log, options)
	require.ErrorContains(t, err, "--terraform-path")
	require.ErrorContains(t, err, "404")
	assert.Regexp(t, `^/releases/terraform/[0-9.]+/index.json$`, asked)
	assert.Contains(t, said.String(), "Downloading Terraform")
	assert.Contains(t, said.String(), mirror.URL)
}
