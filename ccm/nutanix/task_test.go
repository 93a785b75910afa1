package nutanix_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/nutanix"
)

const tasksPath = "GET prism/config/tasks/" + taskUUID

// TestTasks proves that a change returns when its task has ended, and what it says when the task does not.
func TestTasks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		states   []string
		kind     nutanix.Kind
		contains string
		endless  bool // only the end of time ends the waiting
	}{
		"at once":                 {[]string{taskState("SUCCEEDED", "")}, "", "", false},
		"after a while":           {[]string{taskState("QUEUED", ""), taskState("RUNNING", ""), taskState("SUCCEEDED", "")}, "", "", false},
		"suspended on the way":    {[]string{taskState("SUSPENDED", ""), taskState("SUCCEEDED", "")}, "", "", false},
		"a state that is new":     {[]string{taskState("PONDERING", ""), taskState("SUCCEEDED", "")}, "", "", false},
		"details of a new form":   {[]string{taskState("SUCCEEDED", `,"completionDetails":[{"name":"x","value":{"a":[1]}}],"subSteps":7`)}, "", "", false},
		"failed":                  {[]string{taskState("FAILED", failing("NETWORKING-10068", "is still in use"))}, nutanix.Conflict, "is still in use", false},
		"failed, of old services": {[]string{taskState("FAILED", `,"legacyErrorMessage":"The quota is exceeded"`)}, nutanix.Exhausted, "quota", false},
		"failed without a word":   {[]string{taskState("FAILED", "")}, nutanix.Unavailable, taskUUID, false},
		"canceled":                {[]string{taskState("CANCELED", "")}, nutanix.Unavailable, taskUUID, false},
		"never ends":              {[]string{taskState("RUNNING", "")}, nutanix.Unavailable, taskUUID, true},
		"says nothing":            {[]string{`null`}, nutanix.Unavailable, taskUUID, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.prepare()
			c.task(test.states...)
			client := c.client(t, func(_ *nutanix.Endpoint, l *nutanix.Limits) {
				if test.endless {
					l.TaskTimeout = 700 * time.Millisecond
				}
			})
			err := client.DeleteLoadBalancerSession(t.Context(), ourSession())
			require.Equal(t, test.kind, nutanix.KindOf(err), "%v", err)
			if test.kind != "" {
				require.ErrorContains(t, err, test.contains)
				require.ErrorContains(t, err, taskUUID)
				require.ErrorContains(t, err, "DeleteLoadBalancerSession")
			}
		})
	}
}

// TestFaultsWhileWaitingForATask proves that Prism Central may stumble while its task goes on.
func TestFaultsWhileWaitingForATask(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.prepare()
	done := answer(200, `{"data":`+taskState("SUCCEEDED", "")+`}`)
	c.on(tasksPath, lost, page(404), answer(404, refusal("prism", "TASK-1", "TASK_NOT_FOUND", "not yet")), answer(200, `{"da`), done)
	require.NoError(t, c.client(t, nil).DeleteLoadBalancerSession(t.Context(), ourSession()))

	c.on(tasksPath, answer(403, `{}`))
	err := c.client(t, nil).DeleteLoadBalancerSession(t.Context(), ourSession())
	assert.Equal(t, nutanix.Forbidden, nutanix.KindOf(err))
	require.ErrorContains(t, err, taskUUID)

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	running := answer(200, `{"data":`+taskState("RUNNING", "")+`}`)
	c.on(tasksPath, running, func(w http.ResponseWriter, r *http.Request) { leave(); running(w, r) })
	err = c.client(t, nil).DeleteLoadBalancerSession(ctx, ourSession())
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, taskUUID)
}

// TestATaskThatWasNeverAskedForIsNotToBlame: our own rate limit is, unless Prism Central said once that it works on it.
func TestATaskThatWasNeverAskedForIsNotToBlame(t *testing.T) {
	t.Parallel()
	for burst, want := range map[int]nutanix.Kind{2: nutanix.Throttled, 4: nutanix.Unavailable} { // versions are asked for too
		c := newCentral(t)
		c.prepare()
		c.task(taskState("RUNNING", ""))
		client := c.client(t, func(_ *nutanix.Endpoint, l *nutanix.Limits) {
			l.RequestsPerSecond, l.Burst, l.TaskTimeout = 0.01, burst, 3*time.Second
		})
		err := client.DeleteLoadBalancerSession(t.Context(), ourSession())
		assert.Equal(t, want, nutanix.KindOf(err), "%v", err)
		require.ErrorContains(t, err, taskUUID)
	}
}

func TestAChangeThatNamesNoTaskIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `{}`, `{"data":null}`, `{"data":[]}`, `{"data":{}}`, `<html>`} {
		c := newCentral(t)
		c.on("DELETE "+sessionPath+"/"+sessionUUID, answer(http.StatusAccepted, body))
		err := c.client(t, nil).DeleteLoadBalancerSession(t.Context(), ourSession())
		require.Error(t, err, body)
		assert.Equal(t, nutanix.Unavailable, nutanix.KindOf(err), body)
	}
}

// TestWhatACreationMade proves that the object is found by the task, by its name where the task does not say, and that a
// creation is never said to have made what is not certain.
func TestWhatACreationMade(t *testing.T) {
	t.Parallel()
	named := func(uuid, name string) string { return `{"extId":"` + uuid + `","name":"` + name + `"}` }
	object := answer(200, `{"data":`+named(sessionUUID, "k-svc-tcp-80")+`}`, "ETag", "etag-7")
	tests := map[string]struct {
		affected string
		list     string
		get      http.HandlerFunc
		kind     nutanix.Kind
	}{
		"the task says it":            {affected("networking:config:load-balancer-session", sessionUUID), "", object, ""},
		"in the plural":               {affected("networking:config:load-balancer-sessions", sessionUUID), "", object, ""},
		"the task is about a VPC":     {affected("networking:config:vpc", vpcUUID), items(2, named(sessionUUID, "k-svc-tcp-80"), named(nicUUID, "k-svc-tcp-8080")), object, ""},
		"the task says nothing":       {"", items(1, named(sessionUUID, "k-svc-tcp-80")), object, ""},
		"two of that name":            {"", items(2, named(sessionUUID, "k-svc-tcp-80"), named(nicUUID, "k-svc-tcp-80")), object, nutanix.Unavailable},
		"none of that name":           {"", items(0), object, nutanix.Unavailable},
		"gone, or not yet to be seen": {affected("networking:config:load-balancer-session", sessionUUID), "", answer(404, refusal("networking", "NETWORKING-10060", "", "not found")), nutanix.Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.on("POST "+sessionPath, accepted())
			c.on("GET "+sessionPath, answer(200, test.list))
			c.on("GET "+sessionPath+"/"+sessionUUID, test.get)
			c.task(taskState("SUCCEEDED", test.affected))
			made, err := c.client(t, nil).CreateLoadBalancerSession(t.Context(), ourSession())
			require.Equal(t, test.kind, nutanix.KindOf(err), "%v", err)
			if test.kind == "" {
				assert.Equal(t, sessionUUID, made.UUID)
				assert.Equal(t, "etag-7", made.ETag)
			}
		})
	}
}

// TestETags proves that what was changed meanwhile is neither replaced nor deleted, and that an ETag from a list will do.
func TestETags(t *testing.T) {
	t.Parallel()
	reserved := func(etag string) string {
		return `{"extId":"` + sessionUUID + `","name":"k-svc-tcp-80","$reserved":{"$fv":"v4.r2","ETag":"` + etag + `"}}`
	}
	tests := map[string]struct {
		held, header, body string
		sent               string
		kind               nutanix.Kind
	}{
		"the one of now":                  {"e1", "e1", "", "e1", ""},
		"quoted in the header":            {"e1", `"e1"`, "", `"e1"`, ""},
		"in the body only":                {"e1", "", "e1", "e1", ""},
		"body and header differ":          {"e1", "other", "e1", "other", ""},
		"changed":                         {"e1", "e2", "e2", "", nutanix.Stale},
		"not known":                       {"", "e2", "", "e2", ""},
		"a Prism Central that gives none": {"", "", "", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.prepare()
			var headers []string
			if test.header != "" {
				headers = []string{"ETag", test.header}
			}
			body := `{"extId":"` + sessionUUID + `"}`
			if test.body != "" {
				body = reserved(test.body)
			}
			c.on("GET "+sessionPath+"/"+sessionUUID, answer(200, `{"data":`+body+`}`, headers...))
			session := ourSession()
			session.ETag = test.held
			err := c.client(t, nil).UpdateLoadBalancerSession(t.Context(), session)
			require.Equal(t, test.kind, nutanix.KindOf(err), "%v", err)
			last := c.list()[len(c.list())-1]
			assert.Equal(t, test.kind == "", last.Method == http.MethodPut)
			assert.Equal(t, test.sent, last.IfMatch)
		})
	}
	t.Run("of a list, per item", func(t *testing.T) {
		c := newCentral(t)
		c.on("GET "+sessionPath, answer(200, items(1, reserved("e5")), "ETag", "of-the-list"))
		got, err := c.client(t, nil).ListLoadBalancerSessions(t.Context(), "k-")
		require.NoError(t, err)
		assert.Equal(t, "e5", got[0].ETag)
	})
	t.Run("a deletion without one reads it", func(t *testing.T) {
		c := newCentral(t)
		c.prepare()
		session := ourSession()
		session.ETag = ""
		require.NoError(t, c.client(t, nil).DeleteLoadBalancerSession(t.Context(), session))
		require.Len(t, c.list(), 2)
		assert.Equal(t, "etag-1", c.list()[1].IfMatch)
	})
}

// TestReservations proves that exactly the address that was reserved is given, and nothing in doubt.
func TestReservations(t *testing.T) {
	t.Parallel()
	details := func(value string) string {
		return `,"completionDetails":[{"name":"other","value":"10.0.0.1"},{"name":"reserved_or_unreserved_ips","value":` + value + `}]`
	}
	nine := netip.MustParseAddr("10.0.0.9")
	tests := map[string]struct {
		asked   netip.Addr
		details string
		want    netip.Addr
	}{
		"any":                    {netip.Addr{}, details(`"{\"reserved_ips\": [\"10.0.0.9\"]}"`), nine},
		"that one":               {nine, details(`"{\"reserved_ips\": [\"10.0.0.9\"]}"`), nine},
		"the key of unreserving": {netip.Addr{}, details(`"{\"unreserved_ips\": [\"10.0.0.9\"]}"`), netip.Addr{}},
		"another one":            {nine, details(`"{\"reserved_ips\": [\"10.0.0.8\"]}"`), netip.Addr{}},
		"two":                    {netip.Addr{}, details(`"{\"reserved_ips\": [\"10.0.0.9\",\"10.0.0.8\"]}"`), netip.Addr{}},
		"none":                   {netip.Addr{}, details(`"{\"reserved_ips\": []}"`), netip.Addr{}},
		"no address":             {netip.Addr{}, details(`"{\"reserved_ips\": [\"x\"]}"`), netip.Addr{}},
		"no JSON":                {netip.Addr{}, details(`"10.0.0.9"`), netip.Addr{}},
		"no text":                {netip.Addr{}, details(`{"reserved_ips":"10.0.0.9"}`), netip.Addr{}},
		"nothing said":           {netip.Addr{}, ``, netip.Addr{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.prepare()
			c.task(taskState("SUCCEEDED", test.details))
			got, err := c.client(t, nil).ReserveIP(t.Context(), subnetUUID, test.asked, "k/uid")
			assert.Equal(t, test.want, got)
			if !test.want.IsValid() {
				require.ErrorContains(t, err, taskUUID)
				assert.Equal(t, nutanix.Unavailable, nutanix.KindOf(err))
			}
		})
	}
}

// TestUnreserving proves that addresses are freed whatever state they were in, and that an error means that some are not.
func TestUnreserving(t *testing.T) {
	t.Parallel()
	failed := func(text string) string { return taskState("FAILED", failing("NETWORKING-19001", text)) }
	done := taskState("SUCCEEDED", "")
	reserved := func(all ...string) http.HandlerFunc {
		var texts []string
		for _, one := range all {
			texts = append(texts, `{"ipv4Address":"`+one+`","clientContext":"k/uid"}`)
		}
		return answer(200, items(len(texts), texts...))
	}
	tests := map[string]struct {
		tasks    []string
		reserved http.HandlerFunc
		kind     nutanix.Kind
		last     []string // addresses of the last request
	}{
		"freed":                            {[]string{done}, page(404), "", []string{"10.0.0.8", "10.0.0.9"}},
		"none was reserved":                {[]string{failed("IP addresses are not reserved")}, reserved("10.0.0.7"), "", []string{"10.0.0.8", "10.0.0.9"}},
		"no such context":                  {[]string{failed("No IP addresses exist with context: k/uid")}, reserved(), "", []string{"10.0.0.8", "10.0.0.9"}},
		"one was not, the other is freed":  {[]string{failed("hm"), done}, reserved("10.0.0.9"), "", []string{"10.0.0.9"}},
		"one was not, the other stays":     {[]string{failed("hm"), failed("is still in use")}, reserved("10.0.0.9"), nutanix.Conflict, []string{"10.0.0.9"}},
		"both are reserved still":          {[]string{failed("is still in use")}, reserved("10.0.0.8", "10.0.0.9"), nutanix.Conflict, []string{"10.0.0.8", "10.0.0.9"}},
		"nobody knows":                     {[]string{failed("hm")}, page(404), nutanix.Unavailable, []string{"10.0.0.8", "10.0.0.9"}},
		"there is no such subnet any more": {[]string{failed("Existing subnet " + subnetUUID + " is not found")}, page(404), nutanix.NotFound, []string{"10.0.0.8", "10.0.0.9"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.prepare()
			c.task(test.tasks...)
			c.on("GET networking/config/subnets/"+subnetUUID+"/reserved-ips", test.reserved)
			client := c.client(t, nil)
			err := client.UnreserveIPs(t.Context(), subnetUUID, netip.MustParseAddr("10.0.0.8"), netip.MustParseAddr("10.0.0.9"))
			assert.Equal(t, test.kind, nutanix.KindOf(err), "%v", err)
			assert.Equal(t, test.last, lastAddresses(t, c))
		})
	}
	require.NoError(t, newCentral(t).client(t, nil).UnreserveIPs(t.Context(), subnetUUID))
}

// lastAddresses gives the addresses of the last request to free some.
func lastAddresses(t *testing.T, c *central) []string {
	t.Helper()
	var out []string
	for _, one := range c.list() {
		body, ok := one.Body.(map[string]any)
		if one.Method != http.MethodPost || !ok {
			continue
		}
		out = nil
		list, ok := body["ipAddresses"].([]any)
		require.True(t, ok)
		for _, entry := range list {
			out = append(out, entry.(map[string]any)["ipv4"].(map[string]any)["value"].(string))
		}
	}
	return out
}
