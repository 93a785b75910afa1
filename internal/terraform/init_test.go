package terraform

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recording returns a binary that runs another one, and a function that returns the commands that it has run since the last call.
func recording(t *testing.T, binary Binary) (Binary, func() []string) {
	t.Helper()
	dir := t.TempDir()
	record, path := filepath.Join(dir, "commands"), filepath.Join(dir, binary.Product)
	script := "#!/bin/sh\necho \"$1\" >>" + record + "\nexec " + binary.Path + " \"$@\"\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
	binary.Path = path
	return binary, func() []string {
		content, err := os.ReadFile(record)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(record, 0))
		return strings.Fields(string(content))
	}
}

const httpBackend = `
terraform {
  backend "http" {}
}
module "this" {
  source = "./modules/this"
}
output "input" {
  value = module.this.input
}
`

func sharedInit(address, input string) RunOptions {
	return RunOptions{
		Files:   map[string][]byte{"main.tf": []byte(httpBackend), "modules/this/main.tf": []byte(oneResource(input))},
		Env:     map[string]string{"TF_HTTP_ADDRESS": address},
		InitKey: "key",
	}
}

// The first run runs init and version. Runs with the same InitKey run neither, and use their own backend.
func TestInitRunsOnceForEqualKeys(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		testInitRunsOnce(t, terraform.Binary())
	})
}

func testInitRunsOnce(t *testing.T, binary Binary) {
	t.Helper()
	binary, commands := recording(t, binary)
	terraform := newTerraform(t, Config{Binary: binary})
	first, second := newStateServer(t), newStateServer(t)
	finish := func(options RunOptions, input string) {
		run, err := terraform.Open(t.Context(), options)
		require.NoError(t, err)
		apply(t, run)
		outputs, err := run.Outputs(t.Context())
		require.NoError(t, err)
		assert.JSONEq(t, `"`+input+`"`, string(outputs["input"]))
		require.NoError(t, run.Close())
	}

	finish(sharedInit(first.url, "one"), "one")
	assert.Equal(t, []string{"version", "init", "plan", "show", "apply", "output"}, commands())
	for name, content := range terraform.initialised.get("key") {
		assert.NotContains(t, string(content), first.url, name)
	}
	require.Len(t, terraform.clients.idle, 1)
	assert.Zero(t, reflect.ValueOf(terraform.clients.idle[0].cli).Elem().FieldByName("env").Len(), "the client keeps no credentials")
	finish(sharedInit(second.url, "two"), "two")
	assert.Equal(t, []string{"plan", "show", "apply", "output"}, commands())
	assert.Contains(t, first.current(), "one")
	assert.NotContains(t, first.current(), "two")

	other := sharedInit(second.url, "three")
	other.InitKey = "other"
	finish(other, "three")
	assert.Equal(t, []string{"init", "plan", "show", "apply", "output"}, commands())
	other = sharedInit(second.url, "four")
	other.InitKey = ""
	finish(other, "four")
	assert.Equal(t, []string{"init", "plan"}, commands()[:2], "without a key, every run runs init")
}

// If init stored the address of the backend, another run would use the state of the first one.
func TestInitResultWithAddressIsNotShared(t *testing.T) {
	t.Parallel()
	binary := binaries(t)[0]
	path := filepath.Join(t.TempDir(), binary.Product)
	script := "#!/bin/sh\n" + binary.Path + " \"$@\" || exit\n[ \"$1\" != init ] || echo \"$TF_HTTP_ADDRESS\" >.terraform/address\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
	binary.Path = path
	terraform := newTerraform(t, Config{Binary: binary})
	open(t, terraform, sharedInit(newStateServer(t).url, "one"))
	assert.Empty(t, terraform.initialised.get("key"))
}

// A run whose command failed may have left a process in its directory.
func TestDirectoryOfFailedRunIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	terraform := newTerraform(t, Config{})
	open := func() *Run {
		run, err := terraform.Open(t.Context(), sharedInit(newStateServer(t).url, "one"))
		require.NoError(t, err)
		return run
	}
	run := open()
	require.NoError(t, run.Close())
	again := open()
	assert.Equal(t, run.dir, again.dir)
	require.NoError(t, run.Close())
	assert.DirExists(t, string(again.dir), "a second Close does not remove the directory of another run")
	require.Error(t, again.Apply(t.Context(), []byte("no plan")))
	require.NoError(t, again.Close())
	last := open()
	assert.NotEqual(t, run.dir, last.dir)
	require.NoError(t, last.Close())
}
