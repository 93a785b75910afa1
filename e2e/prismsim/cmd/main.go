// Command prismsim serves a simulated Prism Central until it is interrupted.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"github.com/capnt/capnt/e2e/prismsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

type flags struct {
	inventory, caOut string
	rules            string
	faults           []string
	verbose          bool
	options          prismsim.Options
}

func command() *cobra.Command {
	f := &flags{}
	c := &cobra.Command{
		Use:   "prismsim",
		Short: "Serve a simulated Prism Central (v3 and v4 API) until interrupted",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return f.run(c) },

		SilenceUsage: true,
	}
	set := c.Flags()
	set.StringVar(&f.inventory, "inventory", "e2e/prismsim/testdata/inventory.yaml", "inventory file")
	set.StringVar(&f.options.Address, "listen", "127.0.0.1:9440", "loopback address and port; provider 1.9.5 needs port 9440")
	set.StringVar(&f.options.Username, "username", "admin", "name of the one user")
	set.StringVar(&f.options.Password, "password", "nutanix/4u", "password of the one user")
	set.StringVar(&f.options.APIKey, "api-key", "", "key of a service account that is let in, too; empty: none")
	set.StringVar(&f.caOut, "ca-out", filepath.Join(os.TempDir(), "prismsim-ca.pem"), "file to write the CA certificate to")
	set.DurationVar(&f.options.Latency.Create, "latency-create", 5*time.Second, "how long creating a VM takes")
	set.DurationVar(&f.options.Latency.Update, "latency-update", time.Second, "how long changing a VM takes")
	set.DurationVar(&f.options.Latency.Delete, "latency-delete", 2*time.Second, "how long deleting a VM takes")
	set.DurationVar(&f.options.Latency.PowerOn, "latency-power-on", time.Second, "added when a task switches a VM on")
	set.DurationVar(&f.options.Latency.Network, "latency-network", time.Second, "how long changing something of the v4 networking API takes")
	set.StringArrayVar(&f.faults, "fault", nil, `fault in force from the start: "METHOD PATH-REGEXP key[=value] ...", for example "POST /vms$ status=503 times=3"; repeatable`)
	set.StringVar(&f.rules, "rules", "{}", `rules in force from the start, as JSON, for example {"listLag":"30s"}`)
	set.BoolVar(&f.verbose, "verbose", false, "log connection problems")
	return c
}

func (f *flags) run(c *cobra.Command) error {
	inventory, err := prismsim.LoadInventory(f.inventory)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	f.options.Inventory = inventory
	if f.options.Rules, err = prismsim.ParseRules(f.rules); err != nil {
		return err
	}
	f.options.Log = logr.FromSlogHandler(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	server, err := prismsim.New(f.options)
	if err != nil {
		return err
	}
	defer server.Close()
	for _, text := range f.faults {
		fault, err := prismsim.ParseFault(text)
		if err != nil {
			return err
		}
		if _, err := server.Faults().Set(fault); err != nil {
			return err
		}
	}
	if err := os.WriteFile(f.caOut, server.CABundle(), 0o644); err != nil {
		return fmt.Errorf("writing CA certificate (choose another file with --ca-out): %w", err)
	}
	if err := server.Start(c.Context()); err != nil {
		return err
	}
	f.explain(c, server)
	<-c.Context().Done()
	_, _ = fmt.Fprintln(c.OutOrStdout(), "Stopped.")
	return nil
}

// explain prints how to use the server. The password is not a secret.
func (f *flags) explain(c *cobra.Command, server *prismsim.Server) {
	host, _, _ := net.SplitHostPort(server.Address())
	_, _ = fmt.Fprintf(c.OutOrStdout(), `Simulated Prism Central: %[1]s
CA certificate:          %[2]s
User and password:       %[3]s %[4]s

Terraform (provider registry.terraform.io/nutanix/nutanix 1.9.5, provider "nutanix" {}):
  export SSL_CERT_FILE=%[2]s
  export NUTANIX_ENDPOINT=%[5]s NUTANIX_USERNAME=%[3]s NUTANIX_PASSWORD='%[4]s'

Looking behind the scenes:
  curl --cacert %[2]s -u '%[3]s:%[4]s' %[1]s/sim/state
  curl --cacert %[2]s -u '%[3]s:%[4]s' %[1]s/sim/requests
  curl --cacert %[2]s -u '%[3]s:%[4]s' %[1]s/sim/faults -d '{"method":"POST","path":"/vms$","status":503,"times":3}'

Interrupt to stop.
`, server.URL(), f.caOut, server.Username(), f.options.Password, host)
}
