// Command capnt-ccm is the cloud controller manager for Nutanix. It is the cloud controller manager of Kubernetes with package ccm
// as its cloud. `capnt-ccm --help` lists its flags; --cloud-config names the configuration file.
package main

import (
	"maps"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/apiserver/pkg/server"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/app"
	cloudcontrollerconfig "k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	"k8s.io/component-base/cli"
	cliflag "k8s.io/component-base/cli/flag"
	_ "k8s.io/component-base/logs/json/register"           // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo"  // metrics of clients and work queues
	_ "k8s.io/component-base/metrics/prometheus/version"   // metric of the version
	_ "k8s.io/component-base/metrics/prometheus/workqueue" // metrics of work queues
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm"
)

func main() {
	saveMemory()
	ccm.Register()
	command, err := newCommand(server.SetupSignalHandler())
	if err != nil {
		fail(err, "Setting up the flags failed")
	}
	os.Exit(cli.Run(command))
}

// newCommand returns the command of Kubernetes with the name of the provider as default. It has no port for webhooks, because
// the manager serves none.
func newCommand(stop <-chan struct{}) (*cobra.Command, error) {
	noPort := 0
	opts, err := options.NewCloudControllerManagerOptionsWithProviderDefaults(options.ProviderDefaults{WebhookBindPort: &noPort})
	if err != nil {
		return nil, err
	}
	opts.KubeCloudShared.CloudProvider.Name = ccm.ProviderName
	command := app.NewCloudControllerManagerCommand(opts, openCloud, maps.Clone(app.DefaultInitFuncConstructors),
		names.CCMControllerAliases(), cliflag.NamedFlagSets{}, stop)
	command.Use = "capnt-ccm"
	command.Long = "The cloud controller manager for Nutanix: it initialises nodes, removes those whose virtual machine is gone,\n" +
		"and serves Services of type LoadBalancer and routes to pods where the configuration says so."
	return command, nil
}

// openCloud reads the configuration. If the configuration is invalid, the process logs all errors in one line and exits. A fatal
// error would also print the stacks of all goroutines.
func openCloud(config *cloudcontrollerconfig.CompletedConfig) cloudprovider.Interface {
	given := config.ComponentConfig.KubeCloudShared.CloudProvider
	if err := canBeRead(given.CloudConfigFile); err != nil {
		fail(err, "Reading the file of --cloud-config failed")
	}
	cloud, err := cloudprovider.InitCloudProvider(given.Name, given.CloudConfigFile)
	if err != nil {
		fail(err, "Opening the cloud failed")
	}
	return cloud
}

// canBeRead returns an error if the file cannot be read, because the framework would end with a fatal error. The cloud itself
// reports an empty path.
func canBeRead(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}

func fail(err error, message string) {
	klog.Background().Error(err, message)
	klog.FlushAndExit(klog.ExitFlushTimeout, 1)
}
