package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clusters "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/config"
	clusterrequest "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/request/clusters"
	prism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestVendorSDKReadsClusters(t *testing.T) {
	s := start(t, func(o *prismsim.Options) {
		o.Inventory.PrismElements[0].Categories = map[string][]string{"Region": {"eu", "us"}, "Zone": {"a"}}
	})
	sdk := newVendorSDK(t, s)
	response, err := sdk.clusters.ListClusters(t.Context(), &clusterrequest.ListClustersRequest{})
	require.NoError(t, err)
	list := response.GetData().([]clusters.Cluster)
	require.Len(t, list, 4)
	first, last := list[0], list[3]
	assert.Equal(t, "nutanix-cluster-1", *first.Name)
	assert.Equal(t, []clusters.ClusterFunctionRef{clusters.CLUSTERFUNCTIONREF_AOS}, first.Config.ClusterFunction)
	assert.Equal(t, clusters.SOFTWARETYPEREF_NOS, *first.Config.ClusterSoftwareMap[0].SoftwareType)
	assert.Equal(t, []clusters.HypervisorType{clusters.HYPERVISORTYPE_AHV}, first.Config.HypervisorTypes)
	assert.Equal(t, 3, *first.Nodes.NumberOfNodes)
	var want []string
	for _, pair := range [][2]string{{"Region", "eu"}, {"Region", "us"}, {"Zone", "a"}} {
		id, err := s.CategoryID(pair[0], pair[1])
		require.NoError(t, err)
		want = append(want, id)
	}
	assert.Equal(t, want, first.Categories)
	assert.Equal(t, "prism-central", *last.Name)
	assert.Equal(t, []clusters.ClusterFunctionRef{clusters.CLUSTERFUNCTIONREF_PRISM_CENTRAL}, last.Config.ClusterFunction)
	assert.Equal(t, clusters.SOFTWARETYPEREF_PRISM_CENTRAL, *last.Config.ClusterSoftwareMap[0].SoftwareType)

	for filter, count := range map[string]int{
		"name eq 'nutanix-cluster-2'": 1,
		"config/clusterFunction/any(t:t eq Clustermgmt.Config.ClusterFunctionRef'PRISM_CENTRAL')": 1,
		"config/clusterFunction/any(t:t eq Clustermgmt.Config.ClusterFunctionRef'AOS')":           3,
	} {
		response, err := sdk.clusters.ListClusters(t.Context(), &clusterrequest.ListClustersRequest{Filter_: &filter})
		require.NoError(t, err, filter)
		assert.Equal(t, count, *response.Metadata.TotalAvailableResults, filter)
	}
	got, err := sdk.clusters.GetClusterById(t.Context(), &clusterrequest.GetClusterByIdRequest{ExtId: first.ExtId})
	require.NoError(t, err)
	assert.Equal(t, "nutanix-cluster-1", *got.GetData().(clusters.Cluster).Name)
	_, err = sdk.clusters.GetClusterById(t.Context(), &clusterrequest.GetClusterByIdRequest{ExtId: ptr("11111111-2222-4333-8444-555555555555")})
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")

	require.NoError(t, s.SetPrismElementCategories("nutanix-cluster-2", map[string][]string{"Region": {"asia"}}))
	got, err = sdk.clusters.GetClusterById(t.Context(), &clusterrequest.GetClusterByIdRequest{ExtId: list[1].ExtId})
	require.NoError(t, err)
	assert.Len(t, got.GetData().(clusters.Cluster).Categories, 1)
}

func TestVendorSDKReadsHosts(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	sdk := newVendorSDK(t, s)
	response, err := sdk.clusters.ListHosts(t.Context(), &clusterrequest.ListHostsRequest{})
	require.NoError(t, err)
	hosts := response.GetData().([]clusters.Host)
	require.Len(t, hosts, 6)
	for _, host := range hosts {
		assert.Equal(t, *host.HostName == vm.Host, *host.Hypervisor.NumberOfVms == 1, *host.HostName)
		assert.Contains(t, *host.HostName, *host.Cluster.Name)
	}
	element := named(t, s, "cluster", "nutanix-cluster-2")
	of, err := sdk.clusters.ListHostsByClusterId(t.Context(), &clusterrequest.ListHostsByClusterIdRequest{ClusterExtId: &element})
	require.NoError(t, err)
	assert.Len(t, of.GetData().([]clusters.Host), 2)
	filter := "cluster/uuid eq '" + element + "'"
	response, err = sdk.clusters.ListHosts(t.Context(), &clusterrequest.ListHostsRequest{Filter_: &filter})
	require.NoError(t, err)
	assert.Len(t, response.GetData().([]clusters.Host), 2)

	central := named(t, s, "cluster", "prism-central")
	of, err = sdk.clusters.ListHostsByClusterId(t.Context(), &clusterrequest.ListHostsByClusterIdRequest{ClusterExtId: &central})
	require.NoError(t, err)
	assert.Nil(t, of.GetData())
	one, err := sdk.clusters.GetHostById(t.Context(), &clusterrequest.GetHostByIdRequest{ClusterExtId: &element, ExtId: ptr(named(t, s, "host", "nutanix-cluster-2-host-2"))})
	require.NoError(t, err)
	assert.Equal(t, "nutanix-cluster-2-host-2", *one.GetData().(clusters.Host).HostName)
	_, err = sdk.clusters.GetHostById(t.Context(), &clusterrequest.GetHostByIdRequest{ClusterExtId: &element, ExtId: ptr(named(t, s, "host", vm.Host))})
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND", "it is a host of another cluster")
}

func TestVendorSDKManagesCategories(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	status, _ := v4(t, s, http.MethodPut, "nutanix/v3/categories/Team", `{"name":"Team"}`)
	require.Equal(t, http.StatusCreated, status)
	status, _ = v4(t, s, http.MethodPut, "nutanix/v3/categories/Team/red", `{"value":"red","description":"by v3"}`)
	require.Equal(t, http.StatusCreated, status)
	body := prism.NewCategory()
	body.Key, body.Value, body.Description = ptr("Team"), ptr("blue"), ptr("by v4")
	made, err := sdk.categories.CreateCategory(body)
	require.NoError(t, err)
	blue := made.GetData().(prism.Category)

	for filter, want := range map[string][]string{
		"key eq 'Team'":                      {"red", "blue"},
		"key eq 'Team' and value eq 'blue'":  {"blue"},
		"key eq 'Team' and value eq 'green'": nil,
		"extId eq '" + *blue.ExtId + "'":     {"blue"},
	} {
		response, err := sdk.categories.ListCategories(nil, nil, &filter, nil, nil, nil)
		require.NoError(t, err, filter)
		var values []string
		list, _ := response.GetData().([]prism.Category)
		for _, c := range list {
			id, err := s.CategoryID(*c.Key, *c.Value)
			require.NoError(t, err)
			assert.Equal(t, id, *c.ExtId)
			values = append(values, *c.Value)
		}
		assert.Equal(t, want, values, filter)
	}
	assert.Equal(t, []string{"red", "blue"}, s.CategoryValues("Team"), "v3 sees both")

	_, err = sdk.categories.CreateCategory(body)
	assert.ErrorContains(t, err, "ENTITY_ALREADY_EXISTS")
	body.Value = ptr("a/b")
	_, err = sdk.categories.CreateCategory(body)
	assert.ErrorContains(t, err, "@body.value")

	vm := addVM(t, s, func(f *prismsim.Fleet) { f.Categories = map[string]string{"Team": "blue"} })
	got, err := sdk.categories.GetCategoryById(blue.ExtId, ptr("associations"))
	require.NoError(t, err)
	assert.Equal(t, 1, *got.GetData().(prism.Category).Associations[0].Count)
	_, err = sdk.categories.DeleteCategoryById(blue.ExtId)
	assert.ErrorContains(t, err, "CATEGORY_IN_USE")
	require.NoError(t, s.DeleteVM(vm.UUID))
	_, err = sdk.categories.DeleteCategoryById(blue.ExtId)
	require.NoError(t, err)
	_, err = sdk.categories.GetCategoryById(blue.ExtId, nil)
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	assert.Equal(t, []string{"red"}, s.CategoryValues("Team"))

	status, response := v4(t, s, http.MethodGet, "prism/v4.2/config/categories?$expand=detailedAssociations", "")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "CTGRS-50033", valueAt(t, response, "error", 0, "code"), "prism sends errors without an envelope")
}
