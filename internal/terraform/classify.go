package terraform

import "regexp"

// rule assigns a class to errors whose text, joined to one line, matches a pattern.
type rule struct {
	class   Class
	pattern *regexp.Regexp
}

// match returns the class of the first rule that matches text, or Unknown.
func match(rules []rule, text string) Class {
	for _, rule := range rules {
		if rule.pattern.MatchString(text) {
			return rule.class
		}
	}
	return Unknown
}

var (
	// crash matches the output of Terraform after a provider has crashed.
	crash = regexp.MustCompile(`(?i)plugin did not respond|plugin crashed|\bpanic: |request cancelled: the plugin\b`)
	// stalePlan matches the errors for a saved plan that was made for another state or with another binary.
	stalePlan = regexp.MustCompile(`(?i)saved plan is stale|saved plan does not match the given state|different state lineage|plan files cannot be transferred between different`)
)

// decisiveRules recognize errors with a fixed wording. Such an error determines the next action, even if its text quotes other errors.
var decisiveRules = []rule{
	{LockHeld, regexp.MustCompile(`(?i)(?:locked|locking|lock\b).*lock info: id:|state is already locked|already locked by another|acquiring the state lock.*(?:already exists|has been modified)`)},
	{StalePlan, stalePlan},
	{ProviderPanic, crash},
}

// terraformRules recognize errors of Terraform itself. If the disk of the host is full, a Go program reports "<operation> <path>: no
// space left on device".
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
	// configuration matches the summaries of errors that Terraform reports when it checks a configuration.
	configuration = regexp.MustCompile(`^(?:Unsupported|Invalid|Missing|Reference to|Incorrect|Duplicate|Argument|Unreadable|Unclosed|Unexpected|Cycle|Self-referential|Resource precondition|Configuration for import)`)
)

// backendRules recognize errors of the state backends http, kubernetes, s3, gcs, azurerm and pg.
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
	// request matches an error about a request that Terraform itself has sent. Such a request goes to the backend, because the providers are
	// installed from a directory. The pattern must not be applied to errors of providers, which have an address.
	request = regexp.MustCompile(`(?:Get|Head|Post|Put|Patch|Delete|LOCK|UNLOCK) "?https?://|dial tcp|is forbidden: (?:User|unable to create new content)|unable to connect|Kubernetes cluster unreachable`)
)

// source returns the component that reported the error. Terraform prints the address of a resource with two kinds of errors: errors of a
// provider (except during an import), and errors that Terraform finds when it checks the configuration of the resource.
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

// classify returns the source and the class of one error.
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

// classify returns the source and the class of a failed command. If one of its errors matches a decisive rule (a lock, a stale plan or a
// crash), that error determines the result. Otherwise the result is that of the first error whose class is known.
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
