package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/component-base/logs"
	logsv1 "k8s.io/component-base/logs/api/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	capiflags "sigs.k8s.io/cluster-api/util/flags"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/audit"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/provider"
)

// options contains the values of the command line flags.
type options struct {
	showVersion bool

	// Flags that Cluster API's own managers have, too.
	logging                                  *logs.Options
	diagnostics                              capiflags.ManagerOptions
	namespace, watchFilter                   string
	leaderElect                              bool
	leaseDuration, renewDeadline, leaseRetry time.Duration
	healthAddress, profilerAddress           string
	webhookPort                              int
	webhookCertDir                           string
	webhookCertName, webhookKeyName          string
	syncPeriod                               time.Duration
	kubeQPS                                  float32
	kubeBurst                                int
	concurrency                              concurrency

	// Flags that only this provider has.
	gatewayAddress                               string
	terraformPath                                string
	terraformDownload                            bool
	terraformReleasesURL                         string
	providerMirror                               string
	providerVersion                              string
	scratchDir                                   string
	maxRuns, runMemory                           int
	runTimeout                                   time.Duration
	driftInterval, healthInterval, absencePeriod time.Duration
	shutdownTimeout                              time.Duration
	prismQPS                                     float32
	prismBurst                                   int
	approvalConfig                               string
	approvalFloor                                infrav1.TerraformApproval // content of the file approvalConfig
	gitOpsAccounts                               []string
	planHistoryLimit                             int
	planRetention                                time.Duration
	audit                                        audit.Options
}

// concurrency contains, for each kind, the number of objects that are reconciled at the same time.
type concurrency struct {
	nutanixCluster, nutanixMachine, nutanixMachineTemplate, nutanixFailureDomain, nutanixPlan int
}

func newOptions() *options { return &options{logging: logs.NewOptions()} }

// addFlags registers all flags with their defaults.
func (o *options) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	logsv1.AddFlags(o.logging, flags)
	capiflags.AddManagerOptions(flags, &o.diagnostics)
	o.addManagerFlags(flags)
	o.addConcurrencyFlags(flags)
	o.addTerraformFlags(flags)
	o.addPlanFlags(flags)
}

func (o *options) addManagerFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.namespace, "namespace", "", "Namespace in which objects are reconciled. Empty: all namespaces.")
	flags.StringVar(&o.watchFilter, "watch-filter", "",
		"Value of the label "+clusterv1.WatchLabel+" that an object must have to be reconciled. Empty: all objects.")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "Elect a leader with a Lease in the namespace of the manager. Only the leader reconciles.")
	flags.DurationVar(&o.leaseDuration, "leader-elect-lease-duration", 15*time.Second,
		"How long other managers wait after the leader's last renewal before one of them takes over.")
	flags.DurationVar(&o.renewDeadline, "leader-elect-renew-deadline", 10*time.Second,
		"How long the leader tries to renew its lease before it exits.")
	flags.DurationVar(&o.leaseRetry, "leader-elect-retry-period", 2*time.Second, "Time between two attempts to acquire or renew the lease.")
	flags.StringVar(&o.healthAddress, "health-addr", ":8081", "Address of the health endpoints /healthz and /readyz.")
	flags.StringVar(&o.profilerAddress, "profiler-address", "",
		"Address of the pprof profiler, for example localhost:6060. Empty: none.")
	flags.IntVar(&o.webhookPort, "webhook-port", 9443, "Port of the webhook server.")
	flags.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs",
		"Directory of the webhook server's certificate and key. Changed files are read again.")
	flags.StringVar(&o.webhookCertName, "webhook-cert-name", "tls.crt", "Certificate file in --webhook-cert-dir.")
	flags.StringVar(&o.webhookKeyName, "webhook-key-name", "tls.key", "Key file in --webhook-cert-dir.")
	flags.DurationVar(&o.syncPeriod, "sync-period", 10*time.Minute,
		"How often every object is reconciled even if nothing changed.")
	flags.Float32Var(&o.kubeQPS, "kube-api-qps", 100, "Requests per second to the Kubernetes API server.")
	flags.IntVar(&o.kubeBurst, "kube-api-burst", 200, "Burst of requests to the Kubernetes API server.")
}

func (o *options) addConcurrencyFlags(flags *pflag.FlagSet) {
	flags.IntVar(&o.concurrency.nutanixCluster, "nutanixcluster-concurrency", 10, "NutanixClusters reconciled at the same time.")
	flags.IntVar(&o.concurrency.nutanixMachine, "nutanixmachine-concurrency", 50, "NutanixMachines reconciled at the same time.")
	flags.IntVar(&o.concurrency.nutanixMachineTemplate, "nutanixmachinetemplate-concurrency", 10,
		"NutanixMachineTemplates reconciled at the same time.")
	flags.IntVar(&o.concurrency.nutanixFailureDomain, "nutanixfailuredomain-concurrency", 10,
		"NutanixFailureDomains reconciled at the same time.")
	flags.IntVar(&o.concurrency.nutanixPlan, "nutanixplan-concurrency", 5, "NutanixPlans reconciled at the same time.")
}

func (o *options) addPlanFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.approvalConfig, "approval-config", "",
		"YAML file with the fields of spec.terraform.approval of a NutanixCluster. The rules of a cluster can only be stricter. Empty: no rules.")
	flags.StringSliceVar(&o.gitOpsAccounts, "gitops-accounts", nil,
		"User names of GitOps controllers, for example system:serviceaccount:flux-system:kustomize-controller. They are the author of no change, "+
			"and their approvals count as one.")
	flags.IntVar(&o.planHistoryLimit, "plan-history-limit", 5,
		"Maximum number of NutanixPlans in a final phase that are kept for each object. Fewer are kept if "+
			"all plans of the object and their files need more than 16 KiB together.")
	flags.StringVar(&o.audit.Path, "audit-log-path", "",
		"File to which the audit trail of plans is appended, or - for standard output. Each manager needs a file of its own. Empty: no audit trail.")
	flags.StringVar(&o.audit.OTLPEndpoint, "audit-otlp-endpoint", "",
		"OTLP/HTTP endpoint, for example https://collector:4318. With --audit-log-path it receives copies of the audit records, otherwise the "+
			"records themselves. Variables OTEL_EXPORTER_OTLP_* configure headers and certificates. Empty: none.")
	flags.IntVar(&o.audit.MaxSize, "audit-log-maxsize", 100, "Size in MiB at which the file of --audit-log-path is rotated.")
	flags.IntVar(&o.audit.MaxBackups, "audit-log-maxbackup", 0, "Number of rotated files of --audit-log-path that are kept. 0: all.")
	flags.IntVar(&o.audit.MaxAge, "audit-log-maxage", 0, "Number of days for which rotated files of --audit-log-path are kept. 0: forever.")
	flags.DurationVar(&o.planRetention, "plan-retention", 24*time.Hour, "How long the NutanixPlans of a deleted object are kept.")
}

func (o *options) addTerraformFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.gatewayAddress, "gateway-address", gateway.DefaultAddress,
		"Loopback address of the gateway through which Terraform runs reach Prism Central. The port must be 9440, the "+
			"provider's default. A second manager on the same host needs another address, for example 127.0.0.2:9440.")
	flags.StringVar(&o.terraformPath, "terraform-path", "",
		"Terraform or OpenTofu binary. Empty: terraform or tofu on PATH.")
	flags.BoolVar(&o.terraformDownload, "terraform-download", false,
		"Download Terraform into the user's cache directory if no binary is found. Off by default, because the manager's "+
			"image contains one and a cluster may have no access to the internet.")
	flags.StringVar(&o.terraformReleasesURL, "terraform-releases-url", "",
		"Mirror of HashiCorp's release server for --terraform-download, with the same paths and HashiCorp's signatures. Empty: "+
			"HashiCorp's server.")
	flags.StringVar(&o.providerMirror, "provider-mirror", "/opt/capnt/mirror",
		"Unpacked Terraform filesystem mirror with one or more versions of the nutanix provider, each with its dependency lock "+
			"file .terraform.lock.hcl in the directory of the version.")
	flags.StringVar(&o.providerVersion, "provider-version", "1.9.5",
		"Version of the nutanix provider for objects whose NutanixCluster names none in spec.terraform.providerVersion. Objects "+
			"that have a Terraform state keep the version of their last run. Clusters that use the v4 API of Prism Central use the highest "+
			"version of the mirror if this version does not support that API.")
	flags.StringVar(&o.scratchDir, "scratch-dir", "",
		"Directory for the working directories of Terraform runs. Empty: the system's directory for temporary files.")
	flags.IntVar(&o.maxRuns, "max-runs", 10,
		"Terraform runs that plan at the same time. Applies are not counted, because they mostly wait for Prism Central. Plans of other "+
			"Prism Centrals or credentials that take longer than a few seconds are not counted either.")
	flags.IntVar(&o.runMemory, "run-memory", 3072, fmt.Sprintf("Memory in MiB for all Terraform runs, including applies. Each "+
		"run is counted with the memory limits of its processes, at most %d MiB.", provider.MaxRunMemory()))
	flags.DurationVar(&o.runTimeout, "run-timeout", 30*time.Minute,
		"How long a Terraform run may take. Then Terraform is interrupted, and the run is repeated later. It has to be longer than Prism "+
			"Central takes to create a VM.")
	flags.DurationVar(&o.driftInterval, "drift-interval", 10*time.Minute,
		"How often an applied workspace is compared with Prism Central, unless the NutanixCluster sets an interval. 0: never.")
	flags.DurationVar(&o.healthInterval, "health-check-interval", time.Minute,
		"How often the manager reads the VM of a machine from Prism Central.")
	flags.DurationVar(&o.absencePeriod, "absence-period", provisioning.DefaultAbsencePeriod,
		"How long Prism Central must not find a VM before it counts as absent: lost, deleted, or never created. It has to be longer than a "+
			"create request can be on its way and lists of Prism Central lag behind, both together.")
	flags.DurationVar(&o.shutdownTimeout, "shutdown-timeout", 3*time.Minute,
		"How long Terraform runs may take to finish when the manager stops. The pod's grace period must be longer.")
	flags.Float32Var(&o.prismQPS, "prism-qps", 20,
		"Requests per second to each Prism Central, counted separately for Terraform runs and controllers. 0: no limit.")
	flags.IntVar(&o.prismBurst, "prism-burst", 40, "Burst of requests to each Prism Central.")
}
