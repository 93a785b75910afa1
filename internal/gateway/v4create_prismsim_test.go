package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

// repeated contains the statuses after which the v4 SDK repeats a request.
var repeated = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// TestV4CreateMakesAtMostOneVM proves that a run makes at most one VM, whatever happens to the response, and also if Prism Central does not
// recognise repeated requests.
func TestV4CreateMakesAtMostOneVM(t *testing.T) {
	fault := func(f prismsim.Fault) prismsim.Fault {
		f.Method, f.Path, f.Times = http.MethodPost, "/ahv/config/vms$", 1
		return f
	}
	for name, test := range map[string]struct {
		fault  prismsim.Fault
		status int
		vms    int
		open   bool // the outcome is unknown
	}{
		"no fault":                     {fault(prismsim.Fault{Path: "none"}), http.StatusAccepted, 1, false},
		"executed, then unavailable":   {fault(prismsim.Fault{ReplyStatus: http.StatusServiceUnavailable}), http.StatusConflict, 1, true},
		"executed, then timeout":       {fault(prismsim.Fault{ReplyStatus: http.StatusGatewayTimeout}), http.StatusConflict, 1, true},
		"executed, then no response":   {fault(prismsim.Fault{DropReply: true}), http.StatusBadGateway, 1, true},
		"executed, incomplete body":    {fault(prismsim.Fault{Cut: true}), http.StatusAccepted, 1, true},
		"not executed, unavailable":    {fault(prismsim.Fault{Status: http.StatusServiceUnavailable}), http.StatusConflict, 0, true},
		"not executed, too many":       {fault(prismsim.Fault{Status: http.StatusTooManyRequests}), http.StatusAccepted, 1, false},
		"not executed, page of proxy":  {fault(prismsim.Fault{Status: http.StatusBadGateway, Body: "<html>", ContentType: "text/html"}), http.StatusBadGateway, 0, true},
		"task that fails with no text": {fault(prismsim.Fault{TaskSilent: true, AfterWork: true}), http.StatusAccepted, 1, false},
	} {
		for _, forgets := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, forgets %v", name, forgets), func(t *testing.T) {
				sim := newV4Sim(t)
				sim.ChangeRules(func(rules *prismsim.Rules) { rules.ForgetRequestIDs = forgets })
				if name != "no fault" {
					_, err := sim.Faults().Set(test.fault)
					require.NoError(t, err)
				}
				creates := &recorder{requestID: "0d5c7f5e-0000-5000-8000-000000000001"}
				run := open(t, start(t), RunOptions{Mode: KeepPower, Creates: creates, Upstream: Upstream{
					Address: sim.Address(), CABundle: sim.CABundle(), Username: sim.Username(), Password: "pw"}})
				element, err := sim.UUID("cluster", "pe")
				require.NoError(t, err)
				child := childOf(t, run)
				status := 0
				for range 6 {
					resp, err := child.http.Do(child.request(t, http.MethodPost, v4CreateURL, fmt.Sprintf(
						`{"name":"m-1","numSockets":1,"numCoresPerSocket":1,"memorySizeBytes":1073741824,"cluster":{"extId":%q}}`, element)))
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					status = resp.StatusCode
					if !slices.Contains(repeated, status) {
						break
					}
				}
				assert.Equal(t, test.status, status)
				require.Len(t, sim.VMs(), test.vms)
				calls := creates.recorded()
				if test.open {
					assert.Equal(t, []string{v4SendingVM}, calls, "it is resolved before another create is sent")
					return
				}
				assert.Contains(t, calls[len(calls)-1], "{"+sim.VMs()[0].UUID+" m-1 ZXJnb24=:", "the VM of the task is recorded")
			})
		}
	}
}

// newV4Sim starts a simulated Prism Central that provider 2.4 supports.
func newV4Sim(t *testing.T) *prismsim.Server {
	t.Helper()
	inventory, err := prismsim.ParseInventory([]byte("prismCentral: {version: pc.7.5.1, apiVersion: v4.3}\n" + keepPowerInventory))
	require.NoError(t, err)
	sim, err := prismsim.New(prismsim.Options{Inventory: inventory, Password: "pw"})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	require.NoError(t, sim.Start(t.Context()))
	return sim
}
