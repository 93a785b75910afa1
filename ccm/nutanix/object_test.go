package nutanix_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/nutanix"
)

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
			c.On("POST "+sessionPath, accepted())
			c.On("GET "+sessionPath, answer(200, test.list))
			c.On("GET "+sessionPath+"/"+sessionUUID, test.get)
			c.Task(taskState("SUCCEEDED", test.affected))
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
			c.On("GET "+sessionPath+"/"+sessionUUID, answer(200, `{"data":`+body+`}`, headers...))
			session := ourSession()
			session.ETag = test.held
			err := c.client(t, nil).UpdateLoadBalancerSession(t.Context(), session)
			require.Equal(t, test.kind, nutanix.KindOf(err), "%v", err)
			last := c.Requests()[len(c.Requests())-1]
			assert.Equal(t, test.kind == "", last.Method == http.MethodPut)
			assert.Equal(t, test.sent, last.IfMatch)
		})
	}
	t.Run("of a list, per item", func(t *testing.T) {
		c := newCentral(t)
		c.On("GET "+sessionPath, answer(200, items(1, reserved("e5")), "ETag", "of-the-list"))
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
		require.Len(t, c.Requests(), 2)
		assert.Equal(t, "etag-1", c.Requests()[1].IfMatch)
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
			c.Task(taskState("SUCCEEDED", test.details))
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
			c.Task(test.tasks...)
			c.On("GET networking/config/subnets/"+subnetUUID+"/reserved-ips", test.reserved)
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
	for _, one := range c.Requests() {
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
