package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// vmError returns an error of the nutanix provider in the format of the command line output.
func vmError(text string) string {
	return "\nError: " + text + "\n\n  with module.machine.nutanix_virtual_machine.this,\n  on modules/machine/main.tf line 1, in resource \"nutanix_virtual_machine\" \"this\":\n" +
		"   1: resource \"nutanix_virtual_machine\" \"this\" {\n\n"
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text   string
		source Source
		want   Class
	}{
		"stale":                     {"\nError: Saved plan is stale\n\nThe given plan file can no longer be applied because the state was changed\nby another operation after the plan was created.\n", SourceTerraform, StalePlan},
		"stale, framed and wrapped": {"╷\n│ Error: Saved plan\n│ is stale\n│ \n│ The given plan file can no longer be applied\n╵\n", SourceTerraform, StalePlan},
		"lineage":                   {"\nError: Saved plan does not match the given state\n\nThe given plan file can not be applied because it was created from a\ndifferent state lineage.\n", SourceTerraform, StalePlan},
		"plan of another version":   {"\nError: Failed to read plan from plan file\n\nplan file was created by Terraform 1.11.4, but this is 1.12.0; plan files\ncannot be transferred between different Terraform versions\n", SourceTerraform, StalePlan},

		"wrong password":     {vmError("invalid auth Credentials"), SourceProvider, Authentication},
		"no credentials":     {vmError("Prism Central (PC) Client is missing"), SourceProvider, Authentication},
		"v2 no credentials":  {"\nError: Authentication required\n\n  with provider[\"registry.terraform.io/nutanix/nutanix\"],\n  on provider.tf line 1, in provider \"nutanix\":\n   1: provider \"nutanix\" {\n\nNutanix provider requires credentials\n", SourceProvider, Authentication},
		"http backend":       {"\nError: Error refreshing state: HTTP remote state endpoint requires auth\n\n", SourceBackend, Authentication},
		"kubernetes backend": {"\nError: error loading state: secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\" in API group \"\" in the namespace \"a\"\n", SourceBackend, Permission},
		"deleted namespace":  {"\nError: leases.coordination.k8s.io \"lock-tfstate-default-a\" is forbidden: unable to create new content in\nnamespace a because it is being terminated\n", SourceBackend, Permission},
		"Prism's 403":        {vmError("error: {\n  \"code\": 403,\n  \"message_list\": [\n    {\n      \"reason\": \"ACCESS_DENIED\"\n    }\n  ],\n  \"state\": \"ERROR\"\n}"), SourceProvider, Permission},

		"vm gone":  {vmError("error: {\n  \"api_version\": \"3.1\",\n  \"code\": 404,\n  \"message_list\": [\n    {\n      \"message\": \"The VM 42 is not found\",\n      \"reason\": \"ENTITY_NOT_FOUND\"\n    }\n  ],\n  \"state\": \"ERROR\"\n}"), SourceProvider, NotFound},
		"quota":    {vmError("error waiting for vm (3bbf8ae6-17d6-44b5-9b6b-61ad5f1a6ae5) to create: error_detail: Project quota exceeded for memory, progress_message: create_vm_intentful"), SourceProvider, Quota},
		"no host":  {vmError("error waiting for vm (3bbf8ae6-17d6-44b5-9b6b-61ad5f1a6ae5) to create: error_detail: NoHostResources: No host has enough available memory, progress_message: create"), SourceProvider, Quota},
		"shortage": {vmError("error: {\"code\": 422, \"message_list\": [{\"reason\": \"RESOURCE_SHORTAGE\"}]}"), SourceProvider, Quota},
		"ip pool":  {vmError("error waiting for vm (a) to create: error_detail: No available IP addresses in the pool"), SourceProvider, Quota},

		"ip wait":         {vmError("error waiting for vm (a) to create: timeout while waiting for state to become 'SUCCEEDED' (last state: 'RUNNING', timeout: 1h0m0s)"), SourceProvider, Timeout},
		"client deadline": {vmError("Get \"https://127.0.0.1:9440/\": context deadline exceeded"), SourceProvider, Timeout},

		"refused":       {vmError("Post \"https://127.0.0.1:9440/api/nutanix/v3/vms\": dial tcp 127.0.0.1:9440: connect: connection refused"), SourceProvider, Transient},
		"reset":         {vmError("read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer"), SourceProvider, Transient},
		"handshake":     {vmError("Get \"https://127.0.0.1:9440\": net/http: TLS handshake timeout"), SourceProvider, Transient},
		"lost reply":    {vmError("Post \"https://127.0.0.1:9440/api/nutanix/v3/vms\": EOF"), SourceProvider, Transient},
		"empty body":    {vmError("error unmarshalling json: EOF"), SourceProvider, Transient},
		"html":          {vmError("unmarshalling error response invalid character '<' looking for beginning of value for response body <html>"), SourceProvider, Transient},
		"429":           {vmError("error: {\n  \"code\": 429,\n  \"state\": \"ERROR\"\n}"), SourceProvider, Transient},
		"500":           {vmError("error checking virtual Virtual Machine a existence: error: {\n  \"code\": 500,\n  \"message_list\": [{\"message\": \"broken\", \"reason\": \"INTERNAL_ERROR\"}]}"), SourceProvider, Transient},
		"edit conflict": {vmError("error: {\"code\": 409, \"message_list\": [{\"message\": \"Edit conflict: please retry change.\", \"reason\": \"CONCURRENT_REQUESTS_NOT_ALLOWED\"}]}"), SourceProvider, Transient},
		"state 503":     {"\nError: Failed to save state\n\nError saving state: Failed to upload state: POST\nhttp://127.0.0.1:1/state?ID=a giving up after 1 attempt(s)\n", SourceBackend, Transient},
		"state http":    {"\nError: Error refreshing state: Unexpected HTTP response code 503\n\n", SourceBackend, Transient},
		"api server":    {"\nError: Get \"https://10.0.0.1:443/api\": dial tcp 10.0.0.1:443: i/o timeout\n", SourceBackend, Transient},
		"lock refused":  {"\nError: Error acquiring the state lock\n\nError message: Put \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection\nrefused\n\nTerraform acquires a state lock to protect the state from being written\n", SourceBackend, Transient},
		"plugin start":  {"\nError: Failed to load plugin schemas\n\ncould not load the schema: failed to instantiate provider \"nutanix\": timeout while waiting for plugin to start\n", SourceTerraform, Transient},

		"panic":         {vmError("Plugin did not respond") + "The plugin encountered an error, and failed to respond to the\nplugin.(*GRPCProvider).ApplyResourceChange call. The plugin logs may contain\nmore details.\n\nStack trace from the terraform-provider-nutanix_v1.9.5 plugin:\n\npanic: runtime error: invalid memory address or nil pointer dereference\n", SourceProvider, ProviderPanic},
		"panic and 500": {"\nError: Plugin did not respond\n\nunexpected 500\n\nError: Request cancelled\n\nThe plugin.(*GRPCProvider).ReadResource request was cancelled.\n", SourceProvider, ProviderPanic},

		"argument":      {"\nError: Unsupported argument\n\n  on main.tf line 2:\n   2:   inptu = 1\n\nAn argument named \"inptu\" is not expected here.\n", SourceTerraform, Invalid},
		"reference":     {"\nError: Reference to undeclared resource\n\n  on main.tf line 2:\n\nA managed resource has not been declared in the root module.\n", SourceTerraform, Invalid},
		"provider":      {"\nError: Failed to query available provider packages\n\nCould not retrieve the list of available versions for provider\nhashicorp/random\n", SourceTerraform, Invalid},
		"checksum":      {"\nError: Failed to install provider\n\nthe local package doesn't match any of the checksums previously recorded\n", SourceTerraform, Invalid},
		"bad request":   {vmError("bad Request"), SourceProvider, Rejected},
		"older state":   {"\nError: Failed to write state: cannot import state with serial 3 over newer state with serial 5\n", SourceBackend, Invalid},
		"import":        {"\nError: error: {\"code\": 403, \"message_list\": [{\"reason\": \"ACCESS_DENIED\"}], \"state\": \"ERROR\"}\n", SourceProvider, Permission},
		"task reason":   {vmError("error waiting for vm (a) to create: error_detail: NoHostResources: no words, progress_message: create"), SourceProvider, Quota},
		"second known":  {vmError("internal error: cannot turn ON the VM") + vmError("error: {\"code\": 422, \"message_list\": [{\"reason\": \"RESOURCE_SHORTAGE\"}]}"), SourceProvider, Quota},
		"500 and panic": {"\nError: unexpected EOF\n" + vmError("Plugin did not respond"), SourceProvider, ProviderPanic},
		"unknown error": {vmError("internal error: cannot turn ON the VM with UUID(a)"), SourceProvider, Unknown},
		"a port":        {vmError("something about 127.0.0.1:5000 with 512 MiB and id 4290"), SourceProvider, Unknown},
		"nothing":       {"", SourceTerraform, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, class := classify(parseDiagnostics(plainText(test.text)))
			assert.Equal(t, test.source, source)
			assert.Equal(t, test.want, class)
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	want := map[Class]Retry{
		LockHeld: RetryBackoff, StalePlan: RetryImmediately, Authentication: RetrySlowly, NotFound: RetrySlowly, Quota: RetrySlowly,
		Permission: RetrySlowly, Certificate: RetrySlowly, Rejected: RetrySlowly, LocalDisk: RetryBackoff, Unreachable: RetryBackoff,
		Timeout: RetryBackoff, Transient: RetryBackoff, ProviderPanic: RetryBackoff, Canceled: RetryImmediately, Invalid: RetryOnChange,
		Unknown: RetryBackoff,
	}
	for class, retry := range want {
		assert.Equal(t, retry, class.Retry(), class)
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	assert.Empty(t, ClassOf(nil))
	assert.Equal(t, Unknown, ClassOf(errors.New("other")))
	assert.Equal(t, Quota, ClassOf(errors.Join(errors.New("other"), &Error{Class: Quota})))
	assert.Equal(t, LocalDisk, ClassOf(fmt.Errorf("making a run directory: %w", &fs.PathError{Op: "mkdir", Path: "/scratch", Err: syscall.ENOSPC})))
	assert.Empty(t, SourceOf(errors.New("other")))
	assert.Equal(t, SourceBackend, SourceOf(errors.Join(errors.New("other"), &Error{Source: SourceBackend})))
}

func TestFailureMessage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"summary, address and detail": {
			text: "\nError: local-exec provisioner error\n\n  with terraform_data.b,\n  on main.tf line 13, in resource \"terraform_data\" \"b\":\n  13:   provisioner \"local-exec\" {\n\nError running command 'false': exit status 1. Output: \n",
			want: "local-exec provisioner error: with terraform_data.b, on main.tf line 13, in resource \"terraform_data\" \"b\": Error running command 'false': exit status 1. Output:",
		},
		"warnings are left out, more errors are counted": {
			text: "\nWarning: Disabled Providers: foundation, ndb.\n\nmore\n\nError: bad Request\n\n\nError: another\n\nRefer docs.\n",
			want: "bad Request (and 1 more)",
		},
		"a crash names its reason": {
			text: "\nError: Plugin did not respond\n\nThe plugin encountered an error.\n\nStack trace from the terraform-provider-nutanix_v1.9.5 plugin:\n\npanic: runtime error: nil pointer dereference\n[signal SIGSEGV]\n",
			want: "panic: runtime error: nil pointer dereference: Plugin did not respond: The plugin encountered an error.",
		},
		"output without a diagnostic": {text: "illegal\n  flag\n", want: "exit status 1: illegal flag"},
		"no output":                   {text: "", want: "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := runWithFreeSpace(1 << 30)
			_, _ = run.stderr.Write([]byte(test.text))
			failure := run.failure(context.Background(), "apply", time.Now(), exitOne(t))
			assert.Equal(t, test.want, failure.Message)
			assert.NoError(t, errors.Unwrap(failure))
		})
	}
}

func TestFailureMessageIsTruncated(t *testing.T) {
	t.Parallel()
	run := runWithFreeSpace(1 << 30)
	run.scrub = newScrubber(map[string]string{"a": strings.Repeat("secret ", 200)})
	for range 100 {
		_, _ = run.stderr.Write([]byte("Error: " + strings.Repeat("secret ", 200) + strings.Repeat("ä", 1000) + "\n\n"))
	}
	message := run.failure(context.Background(), "plan", time.Now(), exitOne(t)).Message
	assert.LessOrEqual(t, len(message), messageLimit)
	assert.Regexp(t, `ä\.\.\. \(and \d+ more\)$`, message)
	assert.NotContains(t, message, "secret")
}

// runWithFreeSpace returns a run on a file system with free bytes of free space. The run has executed no command.
func runWithFreeSpace(free uint64) *Run {
	return &Run{
		terraform: &Terraform{free: func(string) (uint64, error) { return free, nil }},
		stderr:    &stream{keep: true}, scrub: newScrubber(nil),
	}
}

// responseError returns an error of the provider that contains an error response of the v3 API.
func responseError(code int, reason, message string) string {
	return vmError(fmt.Sprintf("error: {\n  \"api_version\": \"3.1\",\n  \"code\": %d,\n  \"kind\": \"error\",\n  \"message_list\": [\n    {\n      \"message\": %q,\n      \"reason\": %q\n    }\n  ],\n  \"state\": \"ERROR\"\n}", code, message, reason))
}

// TestClassOfResponse checks that the class depends on the reason and the status of a response, and not on the words in its message.
func TestClassOfResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code            int
		reason, message string
		want            Class
	}{
		{422, "INVALID_ARGUMENT", "memory_size_mib exceeds the maximum limit: quota of the API", Rejected},
		{422, "INVALID_ARGUMENT", "no space left in the name: limit exceeded", Rejected},
		{400, "INVALID_REQUEST", "the request is forbidden", Rejected},
		{422, "SPEC_UNKNOWN", "403 Forbidden", Rejected},
		{422, "INVALID_ARGUMENT", "the category QUOTA_LICENSE does not exist", Rejected},
		{422, "RESOURCE_SHORTAGE", "x", Quota},
		{422, "PROJECT_QUOTA_EXCEEDED", "x", Quota},
		{500, "INTERNAL_ERROR", "permission denied", Transient},
		{503, "SERVICE_UNAVAILABLE", "401 unauthorized", Transient},
		{429, "RATE_LIMIT_EXCEEDED", "limit exceeded", Transient},
		{409, "CONCURRENT_REQUESTS_NOT_ALLOWED", "Edit conflict", Transient},
		{403, "ACCESS_DENIED", "no quota", Permission},
		{403, "UNKNOWN_REASON", "quota exceeded", Permission},
		{404, "ENTITY_NOT_FOUND", "the quota is not found", NotFound},
		{403, "GATEWAY_READ_ONLY", "this run may only read from Prism Central", Invalid},
		{502, "GATEWAY_RESPONSE_UNREADABLE", "the response has status 404 Not Found and is not JSON", Transient},
		{403, "GATEWAY_RESPONSE_UNREADABLE", "the response has status 403 Forbidden and is not JSON", Permission},
		{403, "GATEWAY_POWER_STATE", "would switch the VM off", Transient},
		{413, "GATEWAY_REQUEST_TOO_LARGE", "too large", Rejected},
		{502, "GATEWAY_CERTIFICATE_NOT_TRUSTED", "x509: certificate signed by unknown authority", Certificate},
		{502, "GATEWAY_PRISM_CENTRAL_UNREACHABLE", "dial tcp: connection refused", Unreachable},
		{504, "GATEWAY_PRISM_CENTRAL_TIMEOUT", "did not answer in time", Unreachable},
		{503, "GATEWAY_CREATE_NOT_RECORDED", "the API server is forbidden", Transient},
		{409, "GATEWAY_CREATE_UNCONFIRMED", "was not sent again: permission denied", Transient},
	} {
		t.Run(fmt.Sprintf("%d %s", test.code, test.reason), func(t *testing.T) {
			t.Parallel()
			source, class := classify(parseDiagnostics(responseError(test.code, test.reason, test.message)))
			assert.Equal(t, SourceProvider, source)
			assert.Equal(t, test.want, class)
		})
	}
}

// TestFullDiskIsNotAQuota checks that a full disk of this host has the class LocalDisk. Several components report a full disk in
// different ways.
func TestFullDiskIsNotAQuota(t *testing.T) {
	t.Parallel()
	planRead := "\nError: Failed to load plan\n\nPlan read error: couldn't load the provided path as either a local plan file (zip: not a valid zip file)\n"
	for name, test := range map[string]struct {
		text   string
		free   uint64
		err    error
		source Source
		want   Class
	}{
		"a file of Terraform": {"\nError: Failed to install provider\n\nmkdir .terraform/providers: no space left on device\n", 0, nil, SourceTerraform, LocalDisk},
		"a lock file": {"\nError: Error acquiring the state lock\n\nError message: could not write lock info for \"terraform.tfstate\": write\n.terraform.tfstate.lock.info: no space left on device\n\nTerraform acquires a state lock\n",
			0, nil, SourceBackend, LocalDisk},
		"a disk quota":                 {"\nError: Failed to write plan\n\nwrite plan.tfplan: disk quota exceeded\n", 1 << 30, nil, SourceTerraform, LocalDisk},
		"a truncated plan":             {planRead, 0, nil, SourceTerraform, LocalDisk},
		"an error of the provider":     {vmError("internal error: cannot turn ON the VM"), 0, nil, SourceProvider, Unknown},
		"an error with a class":        {"\nError: Unsupported argument\n\nAn argument named \"a\" is not expected here.\n", 0, nil, SourceTerraform, Invalid},
		"a damaged plan":               {planRead, 1 << 30, nil, SourceTerraform, Unknown},
		"a file of this process":       {"", 0, &fs.PathError{Op: "write", Path: "secrets.tfvars.json", Err: syscall.ENOSPC}, SourceTerraform, LocalDisk},
		"an operation without a rule":  {"", 1 << 30, &fs.PathError{Op: "truncate", Path: "secrets.tfvars.json", Err: syscall.ENOSPC}, SourceTerraform, LocalDisk},
		"a disk quota of this process": {"", 0, &fs.PathError{Op: "truncate", Path: "secrets.tfvars.json", Err: syscall.EDQUOT}, SourceTerraform, LocalDisk},
		"a server of the backend":      {"\nError: Error saving state: pq: could not extend file \"base/1\": No space left on device\n", 1 << 30, nil, SourceBackend, Unknown},
		"a storage container": {vmError("error waiting for vm (a) to create: error_detail: Insufficient storage: no space left on container, progress_message: create"),
			1 << 30, nil, SourceProvider, Quota},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := runWithFreeSpace(test.free)
			_, _ = run.stderr.Write([]byte(test.text))
			err := test.err
			if err == nil {
				err = exitOne(t)
			}
			failure := run.failure(context.Background(), "plan", time.Now(), err)
			assert.Equal(t, test.source, failure.Source)
			assert.Equal(t, test.want, failure.Class)
		})
	}
}

// TestFailuresOfBackends checks that backends are the source of their errors about permissions and credentials.
func TestFailuresOfBackends(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want Class
	}{
		"kubernetes, Secret":      {"\nError: error loading state: secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\"\n", Permission},
		"kubernetes, Lease":       {"\nError: Error acquiring the state lock\n\nError message: leases.coordination.k8s.io is forbidden: User \"u\" cannot create\nresource \"leases\"\n", Permission},
		"http 403":                {"\nError: Error refreshing state: HTTP remote state endpoint invalid auth\n\n", Authentication},
		"s3":                      {"\nError: Error loading state:\n    AccessDenied: Access Denied\n\tstatus code: 403, request id: x\n", Permission},
		"s3 key":                  {"\nError: error configuring S3 Backend: InvalidClientTokenId: The security token included in the request is invalid.\n", Authentication},
		"s3 bucket":               {"\nError: Failed to get existing workspaces: S3 bucket \"b\" does not exist.\n", NotFound},
		"pg":                      {"\nError: Failed to load state: pq: permission denied for schema x\n", Permission},
		"kubernetes, unreachable": {"\nError: Kubernetes cluster unreachable: Get \"https://10.0.0.1:443/version\": dial tcp 10.0.0.1:443: connect: connection refused\n", Transient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, class := classify(parseDiagnostics(plainText(test.text)))
			assert.Equal(t, SourceBackend, source)
			assert.Equal(t, test.want, class)
		})
	}
}

// exitOne returns the error of a process that has exited with code 1.
func exitOne(t *testing.T) error {
	t.Helper()
	err := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exit 1").Run()
	var exit *exec.ExitError
	assert.ErrorAs(t, err, &exit)
	return err
}
