package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-version"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
)

// gatewayPort is the port of the gateway. Provider 1.9.5 always uses this port, because it ignores NUTANIX_PORT.
const gatewayPort = "9440"

// validate checks the values of the flags, reads the file of --approval-config, and returns all problems at once.
func (o *options) validate(arguments []string) error {
	problems := []error{o.validateDurations(), o.validateCounts(), o.validateTerraform(), o.readApprovalConfig()}
	if len(arguments) > 0 {
		problems = append(problems, fmt.Errorf("%q is not a flag: flags start with --", strings.Join(arguments, " ")))
	}
	if o.webhookPort < 1 || o.webhookPort > 65535 {
		problems = append(problems, fmt.Errorf("--webhook-port=%d: it must be a port, 1 to 65535", o.webhookPort))
	}
	return errors.Join(problems...)
}

func (o *options) readApprovalConfig() (err error) {
	if o.approvalFloor, err = plan.ReadFloor(o.approvalConfig); err != nil {
		return fmt.Errorf("--approval-config=%s: %w", o.approvalConfig, err)
	}
	return nil
}

func (o *options) validateDurations() error {
	var problems []error
	for _, flag := range []struct {
		name     string
		value    time.Duration
		positive bool
	}{
		{"sync-period", o.syncPeriod, true},
		{"health-check-interval", o.healthInterval, true},
		{"absence-period", o.absencePeriod, true},
		{"shutdown-timeout", o.shutdownTimeout, true},
		{"run-timeout", o.runTimeout, true},
		{"drift-interval", o.driftInterval, false},
		{"plan-retention", o.planRetention, false},
	} {
		if flag.value < 0 || flag.positive && flag.value == 0 {
			problems = append(problems, fmt.Errorf("--%s=%s: it must be longer than zero", flag.name, flag.value))
		}
	}
	if o.leaderElect && (o.leaseRetry <= 0 || o.renewDeadline <= o.leaseRetry || o.leaseDuration <= o.renewDeadline) {
		problems = append(problems, fmt.Errorf(
			"--leader-elect-lease-duration=%s must be longer than --leader-elect-renew-deadline=%s, which must be longer than --leader-elect-retry-period=%s",
			o.leaseDuration, o.renewDeadline, o.leaseRetry))
	}
	return errors.Join(problems...)
}

func (o *options) validateCounts() error {
	var problems []error
	for _, flag := range []struct {
		name  string
		value int
	}{
		{"max-runs", o.maxRuns},
		{"kube-api-burst", o.kubeBurst},
		{"prism-burst", o.prismBurst},
		{"nutanixcluster-concurrency", o.concurrency.nutanixCluster},
		{"nutanixmachine-concurrency", o.concurrency.nutanixMachine},
		{"nutanixmachinetemplate-concurrency", o.concurrency.nutanixMachineTemplate},
		{"nutanixfailuredomain-concurrency", o.concurrency.nutanixFailureDomain},
		{"nutanixplan-concurrency", o.concurrency.nutanixPlan},
		{"plan-history-limit", o.planHistoryLimit},
	} {
		if flag.value < 1 {
			problems = append(problems, fmt.Errorf("--%s=%d: it must be at least 1", flag.name, flag.value))
		}
	}
	if least := provider.MaxRunMemory(); o.runMemory < least {
		problems = append(problems, fmt.Errorf("--run-memory=%d: it must be at least %d, the MiB of one run", o.runMemory, least))
	}
	if o.kubeQPS <= 0 {
		problems = append(problems, fmt.Errorf("--kube-api-qps=%g: it must be more than 0", o.kubeQPS))
	}
	if o.prismQPS < 0 {
		problems = append(problems, fmt.Errorf("--prism-qps=%g: it must be 0 (no limit) or more", o.prismQPS))
	}
	return errors.Join(problems...)
}

func (o *options) validateTerraform() error {
	var problems []error
	if _, err := version.NewSemver(o.providerVersion); err != nil || strings.HasPrefix(o.providerVersion, "v") {
		problems = append(problems, fmt.Errorf("--provider-version=%s: it must be an exact version without v, for example 1.9.5", o.providerVersion))
	}
	if o.providerMirror == "" {
		problems = append(problems, errors.New("--provider-mirror is empty: name the directory of the provider mirror"))
	}
	problems = append(problems, o.validateReleasesURL())
	host, port, err := net.SplitHostPort(o.gatewayAddress)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() || port != gatewayPort {
		problems = append(problems, fmt.Errorf("--gateway-address=%s: it must be a loopback IP address with port %s, for example 127.0.0.1:%s", o.gatewayAddress, gatewayPort, gatewayPort))
	}
	return errors.Join(problems...)
}

// validateReleasesURL checks the URL of the releases. The errors do not contain the URL, because it may contain a password.
func (o *options) validateReleasesURL() error {
	if o.terraformReleasesURL == "" {
		return nil
	}
	if !o.terraformDownload {
		return errors.New("--terraform-releases-url is set without --terraform-download: set both or neither")
	}
	found, err := url.Parse(o.terraformReleasesURL)
	if err != nil || (found.Scheme != "https" && found.Scheme != "http") || found.Host == "" || found.RawQuery != "" || found.Fragment != "" {
		return errors.New("--terraform-releases-url: it must be a URL with https or http, a host and an optional path, " +
			"for example https://mirror.example.com/releases")
	}
	if found.User != nil {
		return errors.New("--terraform-releases-url contains a user: passwords on a command line are visible to others and in logs; " +
			"name a mirror that needs no password")
	}
	return nil
}
