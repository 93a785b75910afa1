package terraform

import "regexp"

// rule recognizes a class by the text of an error, on one line.
type rule struct {
	class   Class
	pattern *regexp.Regexp
}

// match returns the class of the first rule that matches, or Unknown.
func match(rules []rule, text string) Class {
	for _, rule := range rules {
		if rule.pattern.MatchString(text) {
			return rule.class
		}
	}
	return Unknown
}

var (
	// crash matches Terraform's output after the crash of a provider.
	crash = regexp.MustCompile(`(?i)plugin did not respond|plugin crashed|\bpanic: |request cancelled: the plugin\b`)
	// stalePlan matches the errors for a plan of another state or binary.
	stalePlan = regexp.MustCompile(`(?i)saved plan is stale|saved plan does not match the given state|different state lineage|plan files cannot be transferred between different`)
)

// decisiveRules recognise errors with fixed wording that determine the next action, whatever other text they quote.
var decisiveRules = []rule{
	{LockHeld, regexp.MustCompile(`(?i)(?:locked|locking|lock\b).*lock info: id:|state is already locked|already locked by another|acquiring the state lock.*(?:already exists|has been modified)`)},
	{StalePlan, stalePlan},
	{ProviderPanic, crash},
}

// terraformRules recognise the errors of Terraform itself. Go programs report a full disk of their own host as "<operation>
// <path>: no space left on device".
var terraformRules = []rule{
	{LocalDisk, localDiskFull},
	{Invalid, regexp.MustCompile(`(?i)inconsistent dependency lock file|failed to query available provider packages|does not match any of the checksums|failed to install provider|failed to resolve provider|` +
		`locked provider .* does not match|required plugins are not installed|module not installed|backend initialization required|resource already managed|no value for required variable|` +
		`no such resource instance|manual setting of env var|invalid argument`)},
	{Invalid, configuration},
	{Transient, regexp.MustCompile(`(?i)timeout while waiting for plugin to start|text file busy|failed to instantiate provider`)},
	{Timeout, regexp.MustCompile(`(?i)context deadline exceeded|timed out`)},
}

var (
	localDiskFull = regexp.MustCompile(`(?:write|open|mkdir|create|rename|copy|link|sync|fork/exec) \S+: (?:no space left on device|disk quota exceeded)`)
	// configuration matches the summaries of Terraform's checks of a configuration.
	configuration = regexp.MustCompile(`^(?:Unsupported|Invalid|Missing|Reference to|Incorrect|Duplicate|Argument|Unreadable|Unclosed|Unexpected|Cycle|Self-referential|Resource precondition|Configuration for import)`)
)

// backendRules recognise the errors of state backends: http, kubernetes, s3, gcs, azurerm and pg.
var backendRules = []rule{
	{LocalDisk, localDiskFull},
	{Invalid, regexp.MustCompile(`(?i)cannot (?:import|overwrite existing) state with|backend initialization required`)},
	{Authentication, regexp.MustCompile(`(?i)requires auth|invalid auth|unauthorized|\b401\b|invalidaccesskeyid|signaturedoesnotmatch|expiredtoken|invalidclienttokenid|no valid credential|authentication failed`)},
	{Permission, regexp.MustCompile(`(?i)forbidden|access_?denied|access denied|permission denied|\b403\b`)},
	{Transient, regexp.MustCompile(`(?i)giving up after \d+ attempt|connection (?:refused|reset|timed out|closed)|broken pipe|tls handshake timeout|i/o timeout|no such host|network is unreachable|no route to host|` +
		`server misbehaving|\beof\b|server closed idle|http2: |temporarily unavailable|service unavailable|bad gateway|gateway time-?out|internal server error|too many requests|slowdown|throttl|` +
		`(?:code|status)[ :]*(?:429|5\d\d)\b|etcdserver: |kubernetes cluster unreachable|the object has been modified`)},
	{Timeout, regexp.MustCompile(`(?i)context deadline exceeded|client\.timeout|timed out`)},
	{NotFound, regexp.MustCompile(`(?i)nosuchbucket|does not exist|not found|(?:code|status)[ :]*404\b`)},
}

var (
	// backendSummary matches the summaries of errors about the state.
	backendSummary = regexp.MustCompile(`(?i)\b(?:state|backend|workspaces?)\b`)
	// request matches a failed request of Terraform itself. Terraform sends requests only to its backend, because providers are
	// installed from a directory. Errors of providers have an address.
	request = regexp.MustCompile(`(?:Get|Head|Post|Put|Patch|Delete|LOCK|UNLOCK) "?https?://|dial tcp|is forbidden: User|unable to connect|Kubernetes cluster unreachable`)
)

// source returns the component that reported the error. Terraform prints the address of a resource with the errors of a
// provider, except while it imports, and with the errors of its own checks of that resource's configuration.
func (d diagnostic) source() Source {
	switch {
	case crash.MatchString(d.text), isPrismError(d.text):
		return SourceProvider
	case stalePlan.MatchString(d.text):
		return SourceTerraform
	case d.address == "" && (backendSummary.MatchString(d.summary) || request.MatchString(d.text)):
		return SourceBackend
	case d.address != "" && !configuration.MatchString(d.summary):
		return SourceProvider
	case match(terraformRules, d.text) != Unknown || match(providerRules, d.text) == Unknown:
		return SourceTerraform
	default:
		return SourceProvider
	}
}

// classify returns source and class of one error.
func (d diagnostic) classify() (Source, Class) {
	source := d.source()
	if class := match(decisiveRules, d.text); class != Unknown {
		return source, class
	}
	switch source {
	case SourceProvider:
		return source, classifyPrismError(d.text)
	case SourceBackend:
		return source, match(backendRules, d.text)
	case SourceTerraform:
	}
	return source, match(terraformRules, d.text)
}

// classify returns source and class of a failed command. An error that matches a decisive rule (a lock, a stale plan, a crash)
// takes precedence. Otherwise the first error that is recognised counts.
func classify(diagnostics []diagnostic) (Source, Class) {
	source, class := SourceTerraform, Unknown
	for i, d := range diagnostics {
		s, c := d.classify()
		if match(decisiveRules, d.text) != Unknown {
			return s, c
		}
		if i == 0 || class == Unknown && c != Unknown {
			source, class = s, c
		}
	}
	return source, class
}
