package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
)

func TestCategories(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	ctx := t.Context()

	_, err := client.CreateOrUpdateCategoryValue(ctx, "Key", &v3.CategoryValue{Value: ptr("v")})
	require.ErrorContains(t, err, "ENTITY_NOT_FOUND", "a value needs its key")
	for range 2 { // PUT is an upsert
		key, err := client.CreateOrUpdateCategoryKey(ctx, &v3.CategoryKey{Name: ptr("Key"), Description: ptr("d")})
		require.NoError(t, err)
		assert.Equal(t, "Key", *key.Name)
		value, err := client.CreateOrUpdateCategoryValue(ctx, "Key", &v3.CategoryValue{Value: ptr("v")})
		require.NoError(t, err)
		assert.Equal(t, "v", *value.Value)
	}
	_, err = client.GetCategoryKey(ctx, "None")
	require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	_, err = client.GetCategoryValue(ctx, "Key", "none")
	require.ErrorContains(t, err, "CATEGORY_NAME_VALUE_MISMATCH")
	values, err := client.ListAllCategoryValues(ctx, "Key", "")
	require.NoError(t, err)
	require.Len(t, values.Entities, 1)
	keys, err := client.ListCategories(ctx, &v3.CategoryListMetadata{Filter: ptr("name==Key")})
	require.NoError(t, err)
	assert.Equal(t, "d", *keys.Entities[0].Description)

	body := intent(t, s, "vm-1")
	body.Metadata.Categories = map[string]string{"Key": "v"}
	vm := create(t, client, body)
	assert.Equal(t, map[string]string{"Key": "v"}, vm.Metadata.Categories)
	used, err := client.GetCategoryQuery(ctx, &v3.CategoryQueryInput{
		UsageType:      ptr("APPLIED_TO"),
		CategoryFilter: &v3.CategoryFilter{Type: ptr("CATEGORIES_MATCH_ALL"), Params: map[string][]string{"Key": {"v"}}},
	})
	require.NoError(t, err)
	assert.Equal(t, *vm.Metadata.UUID, *used.Results[0].EntityAnyReferenceList[0].UUID)

	assert.ErrorContains(t, client.DeleteCategoryValue(ctx, "Key", "v"), "assigned to VM "+*vm.Metadata.UUID)
	assert.ErrorContains(t, client.DeleteCategoryKey(ctx, "Key"), "it has values")
	require.NoError(t, s.DeleteVM(*vm.Metadata.UUID))
	require.NoError(t, client.DeleteCategoryValue(ctx, "Key", "v"))
	require.NoError(t, client.DeleteCategoryKey(ctx, "Key"))
	assert.ErrorContains(t, client.DeleteCategoryKey(ctx, "Key"), "ENTITY_NOT_FOUND")
}

func TestCategoryNamesWithSpecialCharacters(t *testing.T) {
	s := start(t, nil)
	path := "/api/nutanix/v3/categories/My%20Key%2F1"
	response, _ := request(t, s, http.MethodPut, path, `{"name":"My Key/1"}`, nil)
	assert.Equal(t, http.StatusCreated, response.StatusCode)
	response, _ = request(t, s, http.MethodPut, path+"/a%2Fb", `{"value":"a/b"}`, nil)
	assert.Equal(t, http.StatusCreated, response.StatusCode)
	assert.Equal(t, []string{"a/b"}, s.CategoryValues("My Key/1"))
	response, body := request(t, s, http.MethodPut, path, `{"name":"Other"}`, nil)
	assert.Equal(t, http.StatusUnprocessableEntity, response.StatusCode)
	assert.Contains(t, body, "does not match")
}
