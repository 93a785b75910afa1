// Command demo runs the demo of package demo.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/capnt/capnt/e2e/demo"
)

func main() {
	options := demo.Options{Out: demo.NewScreen(os.Stdout)}
	flag.StringVar(&options.Repository, "repository", ".", "Root of the source tree.")
	flag.StringVar(&options.Manifest, "manifest", "", "Manifest to apply. Empty: the sample with 3 + 3 machines.")
	flag.StringVar(&options.Inventory, "inventory", "", "Inventory of the simulated Prism Central. Empty: the sample.")
	flag.BoolVar(&options.Keep, "keep", false, "Leave everything up until interrupted.")
	flag.DurationVar(&options.CreateLatency, "create-latency", 5*time.Second, "How long Prism Central takes to create a virtual machine.")
	flag.DurationVar(&options.Timeout, "timeout", 10*time.Minute, "Bound on the way to an Available cluster, and on its deletion.")
	flag.Parse()

	// The terminal sends SIGHUP when it is closed. The demo must stop its processes in this case, too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := demo.Run(ctx, options); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1) //nolint:gocritic // the demo has cleaned up after itself
	}
}
