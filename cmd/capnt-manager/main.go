// Command capnt-manager runs the controllers and webhooks of the Cluster API infrastructure provider for Nutanix. It contains only
// wiring. `capnt-manager --help` lists its flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	_ "time/tzdata" // contains the time zones of freezes and windows, because an image may have none

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	logsv1 "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // registers the format of --logging-format=json
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	options := newOptions()
	flags := pflag.NewFlagSet("capnt-manager", pflag.ContinueOnError)
	flags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	options.addFlags(flags)
	flags.AddGoFlagSet(flag.CommandLine) // adds --kubeconfig, which controller-runtime registers
	if err := flags.Parse(os.Args[1:]); errors.Is(err, pflag.ErrHelp) {
		return
	} else if err != nil {
		fail(err)
	}
	if options.showVersion {
		fmt.Println("capnt-manager", buildVersion())
		return
	}
	if err := options.validate(flags.Args()); err != nil {
		fail(err)
	}
	if err := logsv1.ValidateAndApply(options.logging, nil); err != nil {
		fail(fmt.Errorf("setting up logs from --logging-format and --v: %w", err))
	}
	ctrl.SetLogger(klog.Background())
	if err := run(ctrl.SetupSignalHandler(), options); err != nil {
		klog.Background().Error(err, "The manager failed")
		klog.Flush()
		os.Exit(1)
	}
	klog.Flush()
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "capnt-manager: %v\n", err)
	os.Exit(2)
}

// run builds the manager and runs it until ctx is done.
func run(ctx context.Context, options *options) (reterr error) {
	config, err := options.restConfig()
	if err != nil {
		return err
	}
	scratch, err := newScratch(options.scratchDir)
	if err != nil {
		return err
	}
	defer func() { reterr = errors.Join(reterr, scratch.remove()) }()
	mgr, err := newManager(config, options)
	if err != nil {
		return err
	}
	parts, err := newParts(ctx, mgr, options, scratch.path)
	if err != nil {
		return err
	}
	if err := setUp(ctx, mgr, options, parts); err != nil {
		return err
	}
	parts.logStart(mgr.GetLogger())
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}
