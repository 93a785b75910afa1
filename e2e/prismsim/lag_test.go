package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// listedVMs returns the names of the VMs in the v3 list and in the v4 list.
func listedVMs(t *testing.T, s *prismsim.Server) (byV3, byV4 []string) {
	t.Helper()
	list, err := connect(t, s, nil).ListVM(t.Context(), &v3.DSMetadata{})
	require.NoError(t, err)
	response, err := newVendorSDK(t, s).vms.ListVms(nil, nil, nil, nil, nil)
	require.NoError(t, err)
	byV4 = []string{}
	vms, _ := response.GetData().([]vmm.Vm)
	for _, vm := range vms {
		byV4 = append(byV4, *vm.Name)
	}
	return names(list), byV4
}

func TestListsLagBehindCreationAndDeletion(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	old := create(t, client, intent(t, s, "old"))
	s.AgeVMs()
	s.SetRules(prismsim.Rules{ListLag: prismsim.Duration(hour)})
	created := create(t, client, intent(t, s, "new"))
	_, err := client.DeleteVM(t.Context(), *old.Metadata.UUID)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(s.VMs()) == 1 }, waitFor, tick)

	byV3, byV4 := listedVMs(t, s)
	assert.Equal(t, []string{"old"}, byV3)
	assert.Equal(t, []string{"old"}, byV4)
	_, err = client.GetVM(t.Context(), *created.Metadata.UUID)
	require.NoError(t, err, "reading by UUID shows the present")
	_, err = client.GetVM(t.Context(), *old.Metadata.UUID)
	require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	assert.Equal(t, []string{"new"}, []string{s.VMs()[0].Name}, "tests see the present")

	s.ChangeRules(func(r *prismsim.Rules) { r.ListLagKinds = []string{"category"} })
	byV3, byV4 = listedVMs(t, s)
	assert.Equal(t, []string{"new"}, byV3)
	assert.Equal(t, []string{"new"}, byV4)
	s.SetRules(prismsim.Rules{ListLag: prismsim.Duration(time.Nanosecond)})
	byV3, _ = listedVMs(t, s)
	assert.Equal(t, []string{"new"}, byV3, "a list catches up")
}

func TestListsLagBehindAFailover(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	s.AgeVMs()
	s.SetRules(prismsim.Rules{ListLag: prismsim.Duration(hour)})
	id, err := s.FailOverVM(*vm.Metadata.UUID, prismsim.Failover{PrismElement: "nutanix-cluster-2"})
	require.NoError(t, err)
	list, err := client.ListVM(t.Context(), &v3.DSMetadata{})
	require.NoError(t, err)
	require.Len(t, list.Entities, 1)
	assert.Equal(t, *vm.Metadata.UUID, *list.Entities[0].Metadata.UUID)
	assert.Equal(t, id, s.VMs()[0].UUID)
}

func TestListsOfCategoriesAndImagesLag(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	count := func(kind string) int {
		response, body := request(t, s, http.MethodPost, "/api/nutanix/v3/"+kind+"/list", `{"length":500}`, nil)
		require.Equal(t, http.StatusOK, response.StatusCode)
		var list struct{ Entities []any }
		require.NoError(t, json.Unmarshal([]byte(body), &list))
		return len(list.Entities)
	}
	counts := func() []int { return []int{count("categories"), count("categories/Environment"), count("images")} }
	before := counts()
	s.SetRules(prismsim.Rules{ListLag: prismsim.Duration(hour)})
	s.AddCategory("Team", "a")
	s.AddCategory("Environment", "Laboratory")
	_, err := s.AddImage(prismsim.Image{Name: "new"})
	require.NoError(t, err)
	assert.Equal(t, before, counts(), "the inventory counts as old")
	require.NoError(t, s.RemoveImage(named(t, s, "image", "data-seed")))
	assert.Equal(t, before, counts())
	_, err = client.GetCategoryKey(t.Context(), "Team")
	require.NoError(t, err)
	_, err = client.GetImage(t.Context(), named(t, s, "image", "new"))
	require.NoError(t, err)
}

// entities sends a list request and returns how many entities the response contains. An empty v4 list has no data.
func entities(t *testing.T, s *prismsim.Server, method, path, body string) int {
	t.Helper()
	code, response := v4(t, s, method, path, body)
	require.Equal(t, http.StatusOK, code, "%v", response)
	for _, field := range []string{"data", "entities", "results"} {
		if list, isList := response[field].([]any); isList {
			return len(list)
		}
	}
	return 0
}

func TestListsOfEachKindLag(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	s, table := f.server, f.table("blue")
	_, nic := f.vm("blue-nodes")
	s.AddCategory("Team", "a")
	makeVM := func() { f.vm("green-nodes") }
	addGroup := func() {
		_, err := s.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc-1", PrismElement: "pe"})
		require.NoError(t, err)
	}
	for name, test := range map[string]struct {
		kind, method, path, body string
		add                      func()
	}{
		"v3 tasks":              {"task", http.MethodPost, "nutanix/v3/tasks/list", "{}", makeVM},
		"v4 tasks":              {"task", http.MethodGet, "prism/v4.2/config/tasks", "", makeVM},
		"v4 categories":         {"category", http.MethodGet, "prism/v4.2/config/categories", "", func() { s.AddCategory("Team", "b") }},
		"volume groups":         {"volume_group", http.MethodGet, "volumes/v4.2/config/volume-groups", "", addGroup},
		"VMs of a category":     {"vm", http.MethodPost, "nutanix/v3/category/query", `{"category_filter":{"params":{"Team":["a"]}}}`, func() { addVM(t, s, ofTeam) }},
		"load balancer session": {"load_balancer_session", http.MethodGet, "networking/v4.2/config/load-balancer-sessions", "", func() { f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "", nic))) }},
		"floating IPs":          {"floating_ip", http.MethodGet, "networking/v4.2/config/floating-ips", "", func() { f.done(f.floatingIPs.CreateFloatingIp(f.floatingIPOn("none", nil))) }},
		"routes": {"route", http.MethodGet, "networking/v4.2/config/route-tables/" + *table + "/routes", "", func() {
			f.done(f.routes.CreateRouteForRouteTable(table, routeTo("pods", "10.244.1.0", 24, "127.60.1.10")))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s.SetRules(prismsim.Rules{ListLag: prismsim.Duration(hour), ListLagKinds: []string{test.kind}})
			before := entities(t, s, test.method, test.path, test.body)
			test.add()
			assert.Equal(t, before, entities(t, s, test.method, test.path, test.body))
			s.SetRules(prismsim.Rules{})
			assert.Greater(t, entities(t, s, test.method, test.path, test.body), before)
		})
	}
}

// ofTeam puts the VMs of a fleet into the category Team=a.
func ofTeam(fleet *prismsim.Fleet) {
	fleet.PrismElement, fleet.Subnets, fleet.Categories = "pe", []string{"vlan"}, map[string]string{"Team": "a"}
}

func TestTotalOffsetChangesTotals(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	for _, name := range []string{"a", "b"} {
		create(t, client, intent(t, s, name))
	}
	for offset, want := range map[int]int{3: 5, -1: 1, -9: 0} {
		s.SetRules(prismsim.Rules{TotalOffset: offset})
		list, err := client.ListVM(t.Context(), &v3.DSMetadata{})
		require.NoError(t, err)
		assert.EqualValues(t, want, *list.Metadata.TotalMatches)
		assert.Len(t, list.Entities, 2)
		response, err := newVendorSDK(t, s).vms.ListVms(nil, nil, nil, nil, nil)
		require.NoError(t, err)
		assert.Equal(t, want, *response.Metadata.TotalAvailableResults)
	}
}

func TestListOfManyVMsPages(t *testing.T) {
	const count = 1203
	s := start(t, func(o *prismsim.Options) { o.Inventory.PrismElements[0].Memory.Set(0) })
	_, err := s.AddVMs(prismsim.Fleet{Count: count, NamePrefix: "vm", PrismElement: "nutanix-cluster-1"})
	require.NoError(t, err)
	client := connect(t, s, nil)
	seen := map[string]bool{}
	for offset := int64(0); ; offset += 500 {
		page, err := client.ListVM(t.Context(), &v3.DSMetadata{Length: ptr(int64(500)), Offset: &offset})
		require.NoError(t, err)
		require.EqualValues(t, count, *page.Metadata.TotalMatches)
		require.Equal(t, offset, *page.Metadata.Offset)
		require.EqualValues(t, len(page.Entities), *page.Metadata.Length)
		for _, vm := range page.Entities {
			seen[*vm.Metadata.UUID] = true
		}
		if len(page.Entities) == 0 {
			break
		}
	}
	assert.Len(t, seen, count)
	list, err := client.ListVM(t.Context(), &v3.DSMetadata{Filter: ptr("vm_name==vm-77"), Length: ptr(int64(500))})
	require.NoError(t, err)
	assert.Equal(t, []string{"vm-77"}, names(list))
	assert.EqualValues(t, 1, *list.Metadata.TotalMatches)
	_, err = client.ListVM(t.Context(), &v3.DSMetadata{Length: ptr(int64(501))})
	assert.ErrorContains(t, err, "maximum of 500")
}
