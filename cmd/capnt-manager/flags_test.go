package main

import (
	"os"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// parse parses arguments in the same way as main.
func parse(arguments ...string) (*options, error) {
	options := newOptions()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	options.addFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	return options, options.validate(flags.Args())
}

func TestDefaultFlagsAreValid(t *testing.T) {
	options, err := parse()
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:9440", options.gatewayAddress)
	assert.Equal(t, "1.9.5", options.providerVersion)
	assert.False(t, options.terraformDownload)
	assert.False(t, options.leaderElect)
}

func TestInvalidFlagsAreReported(t *testing.T) {
	for name, tc := range map[string]struct {
		arguments []string
		want      []string
	}{
		"unknown":              {[]string{"--no-such-flag"}, []string{"no-such-flag"}},
		"argument":             {[]string{"start"}, []string{`"start" is not a flag`}},
		"no memory":            {[]string{"--run-memory=95"}, []string{"--run-memory=95", "at least 96"}},
		"no run timeout":       {[]string{"--run-timeout=0"}, []string{"--run-timeout=0s"}},
		"no runs":              {[]string{"--max-runs=0"}, []string{"--max-runs=0", "at least 1"}},
		"no workers":           {[]string{"--nutanixmachine-concurrency=0"}, []string{"--nutanixmachine-concurrency=0"}},
		"no requests":          {[]string{"--kube-api-qps=0"}, []string{"--kube-api-qps=0"}},
		"no health interval":   {[]string{"--health-check-interval=0"}, []string{"--health-check-interval=0s"}},
		"no absence period":    {[]string{"--absence-period=0"}, []string{"--absence-period=0s"}},
		"negative drift":       {[]string{"--drift-interval=-1m"}, []string{"--drift-interval=-1m0s"}},
		"webhook port":         {[]string{"--webhook-port=0"}, []string{"--webhook-port=0", "1 to 65535"}},
		"gateway for all":      {[]string{"--gateway-address=0.0.0.0:9440"}, []string{"--gateway-address", "loopback"}},
		"gateway on a name":    {[]string{"--gateway-address=localhost:9440"}, []string{"--gateway-address", "loopback"}},
		"gateway on a port":    {[]string{"--gateway-address=127.0.0.1:9441"}, []string{"--gateway-address", "port 9440"}},
		"version with v":       {[]string{"--provider-version=v1.9.5"}, []string{"--provider-version=v1.9.5", "1.9.5"}},
		"version constraint":   {[]string{"--provider-version=~> 1.9"}, []string{"--provider-version"}},
		"releases alone":       {[]string{"--terraform-releases-url=https://mirror"}, []string{"--terraform-releases-url", "--terraform-download"}},
		"releases in a file":   {[]string{"--terraform-download", "--terraform-releases-url=/mirror"}, []string{"--terraform-releases-url", "https"}},
		"releases by password": {[]string{"--terraform-download", "--terraform-releases-url=https://a:b@mirror"}, []string{"--terraform-releases-url contains a user"}},
		"no mirror":            {[]string{"--provider-mirror="}, []string{"--provider-mirror"}},
		"lease shorter":        {[]string{"--leader-elect", "--leader-elect-lease-duration=5s"}, []string{"--leader-elect-lease-duration=5s"}},
		"all problems at once": {[]string{"--max-runs=0", "--webhook-port=0", "--sync-period=0"}, []string{"--max-runs", "--webhook-port", "--sync-period"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tc.arguments...)
			require.Error(t, err)
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func TestZeroDisablesDriftChecksAndLimits(t *testing.T) {
	options, err := parse("--drift-interval=0", "--prism-qps=0")
	require.NoError(t, err)
	assert.Zero(t, options.driftInterval)
}

func TestReleasesMirrorFlagIsValid(t *testing.T) {
	options, err := parse("--terraform-download", "--terraform-releases-url=https://mirror.example.com:8443/releases/")
	require.NoError(t, err)
	assert.Equal(t, "https://mirror.example.com:8443/releases/", options.terraformReleasesURL)
}

func TestDeploymentHasValidFlags(t *testing.T) {
	content, err := os.ReadFile("../../config/manager/manager.yaml")
	require.NoError(t, err)
	deployment := &appsv1.Deployment{}
	require.NoError(t, yaml.UnmarshalStrict(content, deployment))
	pod := deployment.Spec.Template.Spec
	require.Len(t, pod.Containers, 1)
	assert.Equal(t, "manager", pod.Containers[0].Name, "clusterctl looks for this name")

	options, err := parse(pod.Containers[0].Args...)
	require.NoError(t, err)
	assert.Greater(t, *pod.TerminationGracePeriodSeconds, int64(options.shutdownTimeout.Seconds()))

	mounted := map[string]bool{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		mounted[mount.MountPath] = true
	}
	assert.True(t, mounted[options.scratchDir], "the root file system is read-only")
	assert.True(t, mounted[options.webhookCertDir])
}
