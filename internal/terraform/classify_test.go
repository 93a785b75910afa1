package terraform

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func joined(blocks []string) string { return strings.Join(blocks, "\n") }

// vmError is the text around an error of the nutanix provider, as the command line prints it.
func vmError(text string) string {
	return "\nError: " + text + "\n\n  with module.machine.nutanix_virtual_machine.this,\n  on modules/machine/main.tf line 1, in resource \"nutanix_virtual_machine\" \"this\":\n" +
		"   1: resource \"nutanix_virtual_machine\" \"this\" {\n\n"
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want Class
	}{
		"stale":                     {"\nError: Saved plan is stale\n\nThe given plan file can no longer be applied because the state was changed\nby another operation after the plan was created.\n", StalePlan},
		"stale, framed and wrapped": {"╷\n│ Error: Saved plan\n│ is stale\n│ \n│ The given plan file can no longer be applied\n╵\n", StalePlan},
		"lineage":                   {"\nError: Saved plan does not match the given state\n\nThe given plan file can not be applied because it was created from a\ndifferent state lineage.\n", StalePlan},
		"plan of another version":   {"\nError: Failed to read plan from plan file\n\nplan file was created by Terraform 1.11.4, but this is 1.12.0; plan files\ncannot be transferred between different Terraform versions\n", StalePlan},

		"wrong password":     {vmError("invalid auth Credentials"), Authentication},
		"no credentials":     {vmError("Prism Central (PC) Client is missing"), Authentication},
		"v2 no credentials":  {"\nError: Authentication required\n\nNutanix provider requires credentials\n", Authentication},
		"http backend":       {"\nError: Error refreshing state: HTTP remote state endpoint requires auth\n\n", Authentication},
		"kubernetes backend": {"\nError: error loading state: secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\" in API group \"\" in the namespace \"a\"\n", Authentication},
		"gateway's 403":      {vmError("error: {\n  \"code\": 403,\n  \"message_list\": [\n    {\n      \"reason\": \"ACCESS_DENIED\"\n    }\n  ],\n  \"state\": \"ERROR\"\n}"), Authentication},

		"vm gone":  {vmError("error: {\n  \"api_version\": \"3.1\",\n  \"code\": 404,\n  \"message_list\": [\n    {\n      \"message\": \"The VM 42 is not found\",\n      \"reason\": \"ENTITY_NOT_FOUND\"\n    }\n  ],\n  \"state\": \"ERROR\"\n}"), NotFound},
		"quota":    {vmError("error waiting for vm (3bbf8ae6-17d6-44b5-9b6b-61ad5f1a6ae5) to create: error_detail: Project quota exceeded for memory, progress_message: create_vm_intentful"), Quota},
		"no host":  {vmError("error waiting for vm (3bbf8ae6-17d6-44b5-9b6b-61ad5f1a6ae5) to create: error_detail: NoHostResources: No host has enough available memory, progress_message: create"), Quota},
		"shortage": {vmError("error: {\"code\": 422, \"message_list\": [{\"reason\": \"RESOURCE_SHORTAGE\"}]}"), Quota},
		"ip pool":  {vmError("error waiting for vm (a) to create: error_detail: No available IP addresses in the pool"), Quota},

		"ip wait":         {vmError("error waiting for vm (a) to create: timeout while waiting for state to become 'SUCCEEDED' (last state: 'RUNNING', timeout: 1h0m0s)"), Timeout},
		"client deadline": {vmError("Get \"https://127.0.0.1:9440/\": context deadline exceeded"), Timeout},

		"refused":       {vmError("Post \"https://127.0.0.1:9440/api/nutanix/v3/vms\": dial tcp 127.0.0.1:9440: connect: connection refused"), Transient},
		"reset":         {vmError("read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer"), Transient},
		"handshake":     {vmError("Get \"https://127.0.0.1:9440\": net/http: TLS handshake timeout"), Transient},
		"lost reply":    {vmError("Post \"https://127.0.0.1:9440/api/nutanix/v3/vms\": EOF"), Transient},
		"empty body":    {vmError("error unmarshalling json: EOF"), Transient},
		"html":          {vmError("unmarshalling error response invalid character '<' looking for beginning of value for response body <html>"), Transient},
		"429":           {vmError("error: {\n  \"code\": 429,\n  \"state\": \"ERROR\"\n}"), Transient},
		"500":           {vmError("error checking virtual Virtual Machine a existence: error: {\n  \"code\": 500,\n  \"message_list\": [{\"message\": \"broken\", \"reason\": \"INTERNAL_ERROR\"}]}"), Transient},
		"edit conflict": {vmError("error: {\"code\": 409, \"message_list\": [{\"message\": \"Edit conflict: please retry change.\", \"reason\": \"CONCURRENT_REQUESTS_NOT_ALLOWED\"}]}"), Transient},
		"state 503":     {"\nError: Failed to save state\n\nError saving state: Failed to upload state: POST\nhttp://127.0.0.1:1/state?ID=a giving up after 1 attempt(s)\n", Transient},
		"state http":    {"\nError: Error refreshing state: Unexpected HTTP response code 503\n\n", Transient},
		"api server":    {"\nError: Get \"https://10.0.0.1:443/api\": dial tcp 10.0.0.1:443: i/o timeout\n", Transient},
		"lock refused":  {"\nError: Error acquiring the state lock\n\nError message: Put \"http://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection\nrefused\n\nTerraform acquires a state lock to protect the state from being written\n", Transient},
		"plugin start":  {"\nError: Failed to load plugin schemas\n\ncould not load the schema: failed to instantiate provider \"nutanix\": timeout while waiting for plugin to start\n", Transient},

		"panic":         {vmError("Plugin did not respond") + "The plugin encountered an error, and failed to respond to the\nplugin.(*GRPCProvider).ApplyResourceChange call. The plugin logs may contain\nmore details.\n\nStack trace from the terraform-provider-nutanix_v1.9.5 plugin:\n\npanic: runtime error: invalid memory address or nil pointer dereference\n", ProviderPanic},
		"panic and 500": {"\nError: Plugin did not respond\n\nunexpected 500\n\nError: Request cancelled\n\nThe plugin.(*GRPCProvider).ReadResource request was cancelled.\n", ProviderPanic},

		"argument":      {"\nError: Unsupported argument\n\n  on main.tf line 2:\n   2:   inptu = 1\n\nAn argument named \"inptu\" is not expected here.\n", Invalid},
		"reference":     {"\nError: Reference to undeclared resource\n\n  on main.tf line 2:\n\nA managed resource has not been declared in the root module.\n", Invalid},
		"provider":      {"\nError: Failed to query available provider packages\n\nCould not retrieve the list of available versions for provider\nhashicorp/random\n", Invalid},
		"checksum":      {"\nError: Failed to install provider\n\nthe local package doesn't match any of the checksums previously recorded\n", Invalid},
		"bad request":   {vmError("bad Request"), Invalid},
		"older state":   {"\nError: Failed to write state: cannot import state with serial 3 over newer state with serial 5\n", Invalid},
		"something new": {vmError("internal error: cannot turn ON the VM with UUID(a)"), Unknown},
		"a port":        {vmError("something about 127.0.0.1:5000 with 512 MiB and id 4290"), Unknown},
		"nothing":       {"", Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, classify(joined(errorBlocks(plainText(test.text)))))
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	want := map[Class]Retry{
		LockHeld: RetryBackoff, StalePlan: RetryImmediately, Authentication: RetrySlowly, NotFound: RetrySlowly, Quota: RetrySlowly,
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
			run := &Run{stderr: &stream{keep: true}, scrub: newScrubber(nil)}
			_, _ = run.stderr.Write([]byte(test.text))
			failure := run.failure(context.Background(), "apply", time.Now(), exitOne(t))
			assert.Equal(t, test.want, failure.Message)
			assert.NoError(t, errors.Unwrap(failure))
		})
	}
}

func TestFailureMessageIsBounded(t *testing.T) {
	t.Parallel()
	run := &Run{stderr: &stream{keep: true}, scrub: newScrubber(map[string]string{"a": strings.Repeat("secret ", 200)})}
	for range 100 {
		_, _ = run.stderr.Write([]byte("Error: " + strings.Repeat("secret ", 200) + strings.Repeat("ä", 1000) + "\n\n"))
	}
	message := run.failure(context.Background(), "plan", time.Now(), exitOne(t)).Message
	assert.Less(t, len([]rune(message)), messageLimit+50)
	assert.NotContains(t, message, "secret")
}

// exitOne is the error of a process that failed.
func exitOne(t *testing.T) error {
	t.Helper()
	err := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exit 1").Run()
	var exit *exec.ExitError
	assert.ErrorAs(t, err, &exit)
	return err
}
