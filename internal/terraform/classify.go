package terraform

import "regexp"

// rule recognises a class by the text of the errors, on one line.
type rule struct {
	class   Class
	pattern *regexp.Regexp
}

// rules are tried in this order; the first match decides. The order matters where texts quote each other: a crash prints
// a stack trace that may hold anything, an answer of Prism quotes identifiers and numbers.
var rules = []rule{
	{LockHeld, regexp.MustCompile(`(?i)(?:locked|locking|lock\b).*lock info: id:|state is already locked|already locked by another|acquiring the state lock.*(?:already exists|has been modified)`)},
	{StalePlan, regexp.MustCompile(`(?i)saved plan is stale|saved plan does not match the given state|different state lineage|plan files cannot be transferred between different`)},
	{ProviderPanic, regexp.MustCompile(`(?i)plugin did not respond|plugin crashed|\bpanic: |request cancelled: the plugin\b`)},
	{Authentication, regexp.MustCompile(`(?i)invalid auth credentials|authentication required|invalid authentication configuration|missing credentials|client is missing|endpoint requires auth|` +
		`\b401\b.{0,3}unauthorized|unauthorized|status(?: code)?:? ?40[13]\b|"code": ?"?40[13]\b|access_denied|access denied|permission denied|is forbidden|403 forbidden|http remote state endpoint invalid auth`)},
	{Transient, regexp.MustCompile(`(?i)too many requests|rate limit|throttl|(?:status|code|http|response)[^0-9a-z]{0,12}(?:code)?[^0-9a-z]{0,4}(?:429|5\d\d)\b|"code": ?"?(?:429|5\d\d)\b|\b(?:429|50[0-4]) [A-Z][a-z]+`)},
	{NotFound, regexp.MustCompile(`(?i)entity_not_found|entity not found|does not exist in prism|could not find .*(?:image|subnet|cluster|project)|did not find any`)},
	{Quota, regexp.MustCompile(`(?i)\bquota\b.{0,60}(?:exceed|reach|limit|insufficient|violat)|(?:exceed|insufficient|not enough|violat).{0,60}\bquota\b|quota_exceeded|limit exceeded|limit_exceeded|exceeds? the (?:maximum|limit|available|capacity)|insufficient (?:resource|memory|cpu|capacity|storage|space)|` +
		`not enough (?:resource|memory|cpu|capacity|storage|space|free)|nohostresources|insufficient_resources|resource_exhausted|resource_shortage|resources? exhausted|no space left|` +
		`no (?:available|free) ip|ip (?:address )?pool.{0,40}exhausted|out of (?:memory|capacity|ip)|license (?:limit|violation)`)},
	{Transient, regexp.MustCompile(`(?i)giving up after \d+ attempt|connection (?:refused|reset|timed out|closed)|broken pipe|tls handshake timeout|i/o timeout|no such host|network is unreachable|no route to host|` +
		`server misbehaving|unexpected eof|json: eof|: eof\b|server closed idle|http2: |unexpected end of json|invalid character '<'|temporarily unavailable|service unavailable|bad gateway|` +
		`gateway time-?out|internal server error|concurrent_requests_not_allowed|edit conflict|etcdserver: |timeout while waiting for plugin to start|text file busy|kubernetes cluster unreachable|` +
		`the object has been modified|failed to instantiate provider`)},
	{Timeout, regexp.MustCompile(`(?i)timeout while waiting|context deadline exceeded|client\.timeout|timed out|request timeout|deadlineexceeded`)},
	{Invalid, regexp.MustCompile(`(?i)bad request|invalid_argument|invalid argument|spec validation|unprocessable entity|inconsistent dependency lock file|failed to query available provider packages|` +
		`does not match any of the checksums|failed to install provider|failed to resolve provider|locked provider .* does not match|required plugins are not installed|module not installed|backend initialization required|` +
		`resource already managed|no value for required variable|cannot import state with|no such resource instance|manual setting of env var`)},
	{Invalid, regexp.MustCompile(`(?m)^(?:Unsupported|Invalid|Missing|Reference to|Incorrect|Duplicate|Argument|Unreadable|Unclosed|Unexpected|Cycle|Self-referential|Resource precondition|Configuration for import)`)},
}

// classify recognises the kind of failure in the text of a command's errors: one error per line. It is pure.
func classify(errors string) Class {
	flat := collapse(errors)
	for _, rule := range rules {
		if rule.pattern.MatchString(flat) || rule.pattern.MatchString(errors) {
			return rule.class
		}
	}
	return Unknown
}
