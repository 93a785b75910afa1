package prismsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// query lists VMs and returns the HTTP status and the names of the VMs. If the request fails, it returns the location
// in the error instead of names.
func query(t *testing.T, s *prismsim.Server, parameters ...string) (int, []string) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	status, body := v4(t, s, http.MethodGet, vmsPath+"?"+values.Encode(), "")
	out := []string{}
	if status != http.StatusOK {
		return status, append(out, fmt.Sprint(valueAt(t, body, "data", "error", "validationErrorMessages", 0, "location")))
	}
	if list, has := body["data"]; has {
		for i := range list.([]any) {
			out = append(out, fmt.Sprint(valueAt(t, list, i, "name")))
		}
	}
	return status, out
}

// startQueries starts a server with three VMs. web-0 and web-1 are on. db-0 is off, larger, on another Prism Element,
// and has a category.
func startQueries(t *testing.T, version string) (*prismsim.Server, prismsim.VM) {
	t.Helper()
	s := start(t, func(o *prismsim.Options) { o.Inventory.PrismCentral.Version = version })
	_, err := s.AddVMs(prismsim.Fleet{Count: 2, NamePrefix: "web", PrismElement: "nutanix-cluster-1", Subnets: []string{"vm-network"}})
	require.NoError(t, err)
	return s, addVM(t, s, func(f *prismsim.Fleet) {
		f.NamePrefix, f.PrismElement, f.Subnets, f.Off, f.Sockets = "db", "nutanix-cluster-2", []string{"vm-network-2"}, true, 8
		f.Categories = map[string]string{"Environment": "Testing"}
	})
}

func TestODataFilters(t *testing.T) {
	s, db := startQueries(t, "pc.7.6.0.5")
	category, err := s.CategoryID("Environment", "Testing")
	require.NoError(t, err)
	all := []string{"web-0", "web-1", "db-0"}
	for filter, want := range map[string][]string{
		"name eq 'db-0'":                                          {"db-0"},
		"name ne 'db-0'":                                          {"web-0", "web-1"},
		"name eq 'o''clock'":                                      {},
		"startswith(name, 'web')":                                 {"web-0", "web-1"},
		"endswith(name,'-0') and contains(name,'e')":              {"web-0"},
		"name in ('web-1', 'db-0', 'none')":                       {"web-1", "db-0"},
		"numSockets gt 1":                                         {"db-0"},
		"numSockets le 1 or name eq 'db-0'":                       all,
		"not (name eq 'db-0')":                                    {"web-0", "web-1"},
		"name eq 'web-0' or name eq 'db-0' and numSockets eq 1":   {"web-0"},
		"(name eq 'web-0' or name eq 'db-0') and numSockets eq 8": {"db-0"},
		"powerState eq Vmm.Ahv.Config.PowerState'OFF'":            {"db-0"},
		"powerState eq 'OFF'":                                     {"db-0"},
		"isAgentVm eq false and isCpuHotplugEnabled":              all,
		"host/extId eq null":                                      {"db-0"},
		"cluster/extId eq '" + named(t, s, "cluster", "nutanix-cluster-2") + "'": {"db-0"},
		"biosUuid eq '" + db.BIOSUUID + "'":                                      {"db-0"},
		"categories/any(c:c/extId eq '" + category + "')":                        {"db-0"},
		"categories/all(c:c/extId ne '" + category + "')":                        {"web-0", "web-1"},
		"": all,
	} {
		status, names := query(t, s, "$filter", filter)
		assert.Equal(t, http.StatusOK, status, filter)
		assert.Equal(t, want, names, filter)
	}
}

func TestBadQueriesAreRefusedByTheSchema(t *testing.T) {
	s, _ := startQueries(t, "pc.2024.3.0.1")
	for _, test := range [][2]string{
		{"$filter", "name eq"}, {"$filter", "colour eq 'red'"}, {"$filter", "name like 'x'"}, {"$filter", "name eq 'a' and"},
		{"$filter", "(name eq 'a'"}, {"$filter", "name eq 'a') or name eq 'b'"}, {"$filter", "name eq db"}, {"$filter", "invalid filter syntax"},
		{"$filter", "categories/any(c:c/extId eq 'x')"}, {"$filter", "biosUuid eq 'x'"}, {"$filter", "customAttributes/any(a:a eq 'x')"},
		{"$limit", "0"}, {"$limit", "101"}, {"$limit", "many"}, {"$page", "-1"}, {"$orderby", "colour"}, {"$orderby", "name up"}, {"$apply", "groupby((name))"},
	} {
		status, location := query(t, s, test[0], test[1])
		assert.Equal(t, http.StatusBadRequest, status, test)
		assert.Equal(t, []string{"@query." + test[0]}, location, test)
	}
	_, body := v4(t, s, http.MethodGet, vmsPath+"?$limit=9999", "")
	failure := valueAt(t, body, "data", "error").(map[string]any)
	assert.Equal(t, "vmm.v4.error.SchemaValidationError", failure["$objectType"])
	assert.Equal(t, "Bad Request", failure["error"])
	assert.Equal(t, "Numeric instance is greater than the required maximum (maximum: 100, found: 9999)",
		valueAt(t, failure, "validationErrorMessages", 0, "message"))
}

func TestOrderAndSelection(t *testing.T) {
	s, _ := startQueries(t, "pc.7.6")
	_, names := query(t, s, "$orderby", "name")
	assert.Equal(t, []string{"db-0", "web-0", "web-1"}, names)
	_, names = query(t, s, "$orderby", "numSockets desc, name desc")
	assert.Equal(t, []string{"db-0", "web-1", "web-0"}, names)

	response, err := newVendorSDK(t, s).vms.ListVms(nil, nil, nil, nil, ptr("name,cluster/extId"))
	require.NoError(t, err)
	vm := response.GetData().([]vmm.Vm)[0]
	assert.NotEmpty(t, *vm.ExtId)
	assert.NotEmpty(t, *vm.Cluster.ExtId)
	assert.Nil(t, vm.PowerState)
	assert.Empty(t, vm.Nics)
}

func TestPagesOfALargeList(t *testing.T) {
	s := start(t, nil)
	_, err := s.AddVMs(prismsim.Fleet{Count: 120, NamePrefix: "node", PrismElement: "nutanix-cluster-1"})
	require.NoError(t, err)
	sdk := newVendorSDK(t, s)
	seen := map[string]bool{}
	for page, want := range map[int]int{0: 50, 1: 50, 2: 20, 3: 0} {
		response, err := sdk.vms.ListVms(&page, nil, nil, nil, nil)
		require.NoError(t, err)
		assert.Equal(t, 120, *response.Metadata.TotalAvailableResults)
		vms, _ := response.GetData().([]vmm.Vm)
		assert.Len(t, vms, want, "page %d", page)
		for _, vm := range vms {
			seen[*vm.ExtId] = true
		}
	}
	assert.Len(t, seen, 120)

	_, body := v4(t, s, http.MethodGet, vmsPath+"?$page=1&$limit=40", "")
	links := map[any]any{}
	for _, l := range valueAt(t, body, "metadata", "links").([]any) {
		links[valueAt(t, l, "rel")] = valueAt(t, l, "href")
	}
	assert.Equal(t, s.URL()+"/api/"+vmsPath+"?$limit=40&$page=2", links["next"])
	assert.Equal(t, links["next"], links["last"])
	assert.Len(t, links, 5)
	assert.Equal(t, true, valueAt(t, body, "metadata", "flags", 1, "value"), "isPaginated")
}
