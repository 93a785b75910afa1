package prismv4

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const objectUUID = "12345678-1234-4234-8234-123456789012"

func typedError(namespace, code, group, text string) string {
	return fmt.Sprintf(`{"data":{"$objectType":"%[1]s.v4.error.ErrorResponse","error":[{"$objectType":"%[1]s.v4.error.AppMessage",`+
		`"code":%[2]q,"errorGroup":%[3]q,"message":%[4]q}]}}`, namespace, code, group, text)
}

const schemaError = `{"data":{"$objectType":"networking.v4.error.ErrorResponse","$errorItemDiscriminator":"networking.v4.error.SchemaValidationError",` +
	`"error":{"$objectType":"networking.v4.error.SchemaValidationError","error":"Bad Request","statusCode":400,` +
	`"validationErrorMessages":[{"location":"@body.name","attributePath":"/name","message":"is too long"},{"message":"and more"}]}}}`

// TestResponsesAreClassified has cases for every rule of the table in classify.go.
func TestResponsesAreClassified(t *testing.T) {
	const html = "text/html; charset=utf-8"
	notFound := typedError("vmm", "VMM-30100", "VM_NOT_FOUND", "because it is not found")
	tests := map[string]struct {
		status int
		media  string
		body   string
		want   Kind
	}{
		"200":                         {200, "", `{"data":{}}`, ""},
		"202 with a charset":          {202, "application/json;charset=UTF-8", `{}`, ""},
		"200, problem+json":           {200, "application/problem+json", `{}`, ""},
		"200, a page":                 {200, html, `<html>`, Unavailable},
		"200, no type":                {200, "none", `{}`, Unavailable},
		"200 that holds an error":     {200, "", notFound, Unavailable},
		"204":                         {204, "none", ``, Unavailable},
		"302":                         {302, html, ``, Unavailable},
		"401":                         {401, "", `{}`, Unauthorized},
		"401, a page":                 {401, html, `<html>`, Unauthorized},
		"403":                         {403, "", typedError("vmm", "VMM-1", "ACCESS_DENIED", "no"), Forbidden},
		"403, untyped":                {403, "", `{"message":"no"}`, Forbidden},
		"403, a page":                 {403, html, `<html>`, Unavailable},
		"404, VM":                     {404, "", notFound, NotFound},
		"404, a page":                 {404, html, `<html>`, Unavailable},
		"404, Prism's error as page":  {404, html, notFound, Unavailable},
		"404, no code":                {404, "", `{"message":"The requested URL was not found on the server."}`, Unavailable},
		"404, empty":                  {404, "", ``, Unavailable},
		"404, no JSON":                {404, "", `not found`, Unavailable},
		"404, of the platform":        {404, "", typedError("vmm", "PLAT-10000", "API_NOT_FOUND", "no such API"), Unavailable},
		"404, another group of vmm":   {404, "", typedError("vmm", "VMM-20000", "INTERNAL", "host not found"), Unavailable},
		"404, no cluster, of vmm":     {404, "", typedError("vmm", "VMM-20001", "CLUSTER_NOT_FOUND", "the cluster is not found"), Unavailable},
		"404, VM, by its code":        {404, "", typedError("vmm", "VMM-30100", "", "x"), NotFound},
		"404, VM, by its group":       {404, "", typedError("vmm", "VMM-30000", "VM_NOT_FOUND", "x"), NotFound},
		"404, schema":                 {404, "", schemaError, Unavailable},
		"404, networking":             {404, "", typedError("networking", "NETWORKING-10060", "", "a referenced resource was not found"), NotFound},
		"404, networking, other text": {404, "", typedError("networking", "NETWORKING-10055", "", "no route to the backend"), Unavailable},
		"404, prism, bare":            {404, "", `{"$objectType":"prism.v4.error.ErrorResponse","error":[{"code":"CTGRS-50000","errorGroup":"CATEGORY_NOT_FOUND","message":"x"}]}`, NotFound},
		"500, networking, the object": {500, "", typedError("networking", "NETWORKING-10060", "", "not found - "+strings.ToUpper(objectUUID)), NotFound},
		"500, networking, another":    {500, "", typedError("networking", "NETWORKING-10060", "", "not found - something else"), Unavailable},
		"500, vmm":                    {500, "", notFound, Unavailable},
		"408":                         {408, "", `{}`, Unavailable},
		"429":                         {429, "", typedError("vmm", "PLAT-1", "RATE_LIMIT_EXCEEDED", "slow down"), Unavailable},
		"400, rate limit":             {400, "", typedError("vmm", "PLAT-1", "RATE_LIMIT_EXCEEDED", "slow down"), Unavailable},
		"500, a quota":                {500, "", typedError("networking", "N-1", "", "quota"), Unavailable},
		"503":                         {503, html, `<html>`, Unavailable},
		"412":                         {412, "", `{}`, Stale},
		"412, invalid ETag":           {412, "", typedError("vmm", "PLAT-10005", "INVALID_ETAG", "Invalid eTag header"), Stale},
		"409, ETag by code":           {409, "", typedError("vmm", "VMM-30303", "VM_ETAG_MISMATCH", "The If-Match header value passed"), Stale},
		"409, ETag by group":          {409, "", typedError("networking", "N-1", "SUBNET_ETAG_MISMATCH", "x"), Stale},
		"409, ETag by text":           {409, "", typedError("networking", "N-1", "", "If-Match header value passed does not match"), Stale},
		"409":                         {409, "", typedError("networking", "N-1", "", "something"), Conflict},
		"409, invalid":                {409, "", typedError("networking", "N-1", "", "invalid state"), Conflict},
		"409, a quota":                {409, "", typedError("networking", "N-1", "", "The quota is exceeded"), Exhausted},
		"428":                         {428, "", typedError("vmm", "PLAT-10004", "MISSING_ETAG_HEADER", "missing"), Invalid},
		"428, untyped":                {428, "", `{}`, Invalid},
		"422, a quota":                {422, "", typedError("networking", "N-1", "", "The maximum number of floating IPs (5) is reached"), Exhausted},
		"422, an empty pool":          {422, "", typedError("networking", "N-1", "", "No free IP addresses: all addresses are in use"), Exhausted},
		"422, taken":                  {422, "", typedError("networking", "N-1", "", "10.0.0.9 is already in use"), Conflict},
		"422, invalid":                {422, "", typedError("networking", "N-1", "", "The port is invalid"), Invalid},
		"422, anything":               {422, "", typedError("networking", "N-1", "", "hm"), Invalid},
		"400, schema":                 {400, "", schemaError, Invalid},
		"400, untyped":                {400, "", `{}`, Invalid},
		"405":                         {405, "", `{}`, Invalid},
		"405, a page":                 {405, html, `<html>`, Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Content-Type": {"application/json"}, "Retry-After": {"7"}}
			switch test.media {
			case "":
			case "none":
				header.Del("Content-Type")
			default:
				header.Set("Content-Type", test.media)
			}
			got := classify(request{operation: "Op", object: objectUUID}, response{status: test.status, header: header, body: []byte(test.body)}, strings.NewReplacer())
			if test.want == "" {
				require.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			assert.Equal(t, test.want, got.Kind)
			assert.Equal(t, test.status, got.Status)
			assert.Equal(t, 7*time.Second, got.RetryAfter)
		})
	}
}

func TestFailedTasksAreClassified(t *testing.T) {
	const gone = "Failed to do it as a referenced resource was not found - Existing "
	tests := map[string]struct {
		method, status, code, text string
		want                       Kind
	}{
		"something referred to is gone": {http.MethodPost, taskFailed, "NETWORKING-10060", gone + "VPC", Invalid},
		"the object itself is gone":     {http.MethodPut, taskFailed, "NETWORKING-10060", gone + "session " + objectUUID, NotFound},
		"gone before it was deleted":    {http.MethodDelete, taskFailed, "NETWORKING-10060", gone + "session", NotFound},
		"still in use":                  {http.MethodDelete, taskFailed, "NETWORKING-10068", "Failed as the referenced resource is still in use - FIP", Conflict},
		"taken":                         {http.MethodPost, taskFailed, "", "10.0.0.9 is already reserved", Conflict},
		"pool empty":                    {http.MethodPost, taskFailed, "", "No free IP addresses in subnet", Exhausted},
		"quota":                         {http.MethodPost, taskFailed, "", "as a limit is reached - the quota is exceeded", Exhausted},
		"changed meanwhile, by code":    {http.MethodPut, taskFailed, "VMM-30303", "x", Stale},
		"changed meanwhile, by text":    {http.MethodPut, taskFailed, "", "The If-Match header value passed does not match", Stale},
		"no permission":                 {http.MethodPost, taskFailed, "", "User has insufficient privileges", Forbidden},
		"invalid":                       {http.MethodPost, taskFailed, "", "due to an invalid argument - port", Invalid},
		"internal error":                {http.MethodPost, taskFailed, "NETWORKING-10055", "Failed due to an internal server error - x", Unavailable},
		"nothing said":                  {http.MethodPost, taskFailed, "", "", Unavailable},
		"canceled, whatever it says":    {http.MethodPost, taskCanceled, "", "quota", Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			failed := Task{UUID: "t-1", Status: test.status, Errors: messages{{Code: test.code, Message: test.text}}}
			got := taskKind(Change{Method: test.method, Object: objectUUID}, failed, failed.Errors)
			assert.Equal(t, test.want, got)
		})
	}
}

// A creation can only fail to find an object to which it refers.
func TestCreationIsNeverNotFound(t *testing.T) {
	got := response{
		status: 404, header: http.Header{"Content-Type": {"application/json"}},
		body: []byte(typedError("networking", "NETWORKING-10060", "", "VPC was not found")),
	}
	for object, want := range map[string]Kind{"": Invalid, objectUUID: NotFound} {
		failure := classify(request{operation: "Op", method: http.MethodPost, object: object}, got, strings.NewReplacer())
		require.NotNil(t, failure)
		assert.Equal(t, want, failure.Kind)
	}
}

// A Node may be deleted because its VM does not exist.
func TestOnlyCodeOfVMsMeansThatVMIsNotFound(t *testing.T) {
	for body, want := range map[string]Kind{
		typedError("vmm", "VMM-30100", "VM_NOT_FOUND", "x"):                                     NotFound,
		typedError("prism", "VMM-30100", "VM_NOT_FOUND", "x"):                                   NotFound,
		typedError("prism", "CLU-10002", "CLUSTER_NOT_FOUND", "x"):                              Unavailable,
		typedError("prism", "CLU-10002", "", "the cluster was not found"):                       Unavailable,
		typedError("networking", "NETWORKING-10060", "", "a referenced resource was not found"): Unavailable,
	} {
		got := classify(request{operation: "GetVmById", namespace: VMM, object: objectUUID},
			response{status: 404, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(body)}, strings.NewReplacer())
		require.NotNil(t, got)
		assert.Equal(t, want, got.Kind, body)
	}
}

func TestErrorMessages(t *testing.T) {
	got := classify(request{operation: "Op"}, response{status: 400, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(schemaError)}, strings.NewReplacer())
	assert.Equal(t, "Op: Prism Central: Invalid (HTTP 400): /name is too long; and more", got.Error())

	long := classify(request{operation: "Op"}, response{
		status: 400, header: http.Header{"Content-Type": {"application/json"}},
		body: []byte(typedError("vmm", "VMM-1", "G", strings.Repeat("ü\n", 5000))),
	}, strings.NewReplacer("VMM", "-"))
	assert.Less(t, len(long.Message), 800)
	assert.NotContains(t, long.Message, "\n")
	assert.Equal(t, "VMM-1", long.Code)

	page := classify(request{operation: "Op"}, response{status: 404, header: http.Header{"Content-Type": {"text/html"}}, body: []byte("<html>")}, strings.NewReplacer())
	assert.Contains(t, page.Error(), `"text/html"`)
}

// FuzzResponses checks that no body causes a panic, and that only an error in the format of Prism Central means "not found".
func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, `{"data":null}`, `{"data":[null]}`, `{"data":{"error":null}}`, schemaError, `{"data":{"error":[null]}}`,
		typedError("vmm", "VMM-30100", "VM_NOT_FOUND", "x"), `{"data":{"extId":"x","nics":[null,{"nicNetworkInfo":null,"networkInfo":null}]}}`,
	} {
		f.Add(404, seed)
		f.Add(200, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		got := classify(request{}, response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(body)}, strings.NewReplacer())
		if got != nil && got.Kind == NotFound {
			assert.Contains(t, body, "ErrorResponse")
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, " 5 ": 5 * time.Second, "-5": 0, "99999999": 24 * time.Hour, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {text}}, now), text)
	}
}

// FuzzQuote checks that a quoted text is one OData string literal with the value of the text.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "'", "''", "it's", "x' or 'a' eq 'a", "näme", "\x00", "')", "%27", "\\'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted := quote(text)
		require.Greater(t, len(quoted), 1)
		require.Equal(t, "''", quoted[:1]+quoted[len(quoted)-1:])
		inside := quoted[1 : len(quoted)-1]
		require.NotContains(t, strings.ReplaceAll(inside, "''", ""), "'")
		require.Equal(t, text, strings.ReplaceAll(inside, "''", "'"))
	})
}
