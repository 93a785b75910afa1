package prism

import (
	"context"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindStorageContainer is the name of the kind storage container in errors.
const KindStorageContainer = "storage container"

// Attributes of storage containers in the response to the groups query. The v3 API has no list of storage containers. The attribute
// cluster contains the UUID of the Prism Element.
const (
	attributeContainerName = "container_name"
	attributeCluster       = "cluster"
)

type groupsAttribute struct {
	Attribute string `json:"attribute"`
}

type groupsRequest struct {
	EntityType            string            `json:"entity_type"`
	GroupMemberAttributes []groupsAttribute `json:"group_member_attributes"`
	GroupMemberCount      int               `json:"group_member_count"`
	GroupMemberOffset     int               `json:"group_member_offset"`
}

type groupsResponse struct {
	GroupResults []struct {
		TotalEntityCount int            `json:"total_entity_count"`
		EntityResults    []groupsEntity `json:"entity_results"`
	} `json:"group_results"`
}

type groupsEntity struct {
	EntityID string `json:"entity_id"`
	Data     []struct {
		Name   string `json:"name"`
		Values []struct {
			Values []string `json:"values"`
		} `json:"values"`
	} `json:"data"`
}

// value returns the first value of an attribute, or an empty string.
func (e groupsEntity) value(attribute string) string {
	for _, field := range e.Data {
		if field.Name == attribute && len(field.Values) > 0 && len(field.Values[0].Values) > 0 {
			return field.Values[0].Values[0]
		}
	}
	return ""
}

// StorageContainer returns the storage container with the name or UUID id on a Prism Element. Names are case-sensitive. Several Prism
// Elements usually have a storage container with the same name.
func (c *Client) StorageContainer(ctx context.Context, id infrav1.NutanixResourceIdentifier, prismElementUUID string) (Entity, error) {
	wanted, err := identify(id, "storageContainer")
	if err != nil {
		return Entity{}, err
	}
	return find(ctx, c, groupsOf("storage_container", attributeContainerName, attributeCluster), func(containers []groupsEntity) (Entity, error) {
		return chooseContainer(containers, wanted, prismElementUUID)
	})
}

// chooseContainer returns the only container on the Prism Element that has the wanted name or UUID.
func chooseContainer(containers []groupsEntity, wanted identifier, prismElementUUID string) (Entity, error) {
	found := map[string]Entity{}
	for _, container := range containers {
		entity := Entity{UUID: strings.ToLower(container.EntityID), Name: container.value(attributeContainerName)}
		named := entity.UUID == wanted.uuid || wanted.uuid == "" && entity.Name == wanted.name
		if named && strings.EqualFold(container.value(attributeCluster), prismElementUUID) {
			found[entity.UUID] = entity
		}
	}
	var matches []Entity
	for _, entity := range found {
		matches = append(matches, entity)
	}
	kind := KindStorageContainer + " of Prism Element " + prismElementUUID
	return single(matches, func(entity Entity) string { return entity.UUID }, kind, wanted)
}

// groups returns all entities of a type. Each entity contains the given attributes.
func (c *Client) groups(ctx context.Context, entityType string, attributes ...string) ([]groupsEntity, error) {
	request := groupsRequest{EntityType: entityType, GroupMemberCount: pageLength}
	for _, attribute := range attributes {
		request.GroupMemberAttributes = append(request.GroupMemberAttributes, groupsAttribute{attribute})
	}
	var all []groupsEntity
	for {
		request.GroupMemberOffset = len(all)
		var response groupsResponse
		if err := c.post(ctx, "groups", request, &response); err != nil {
			return nil, err
		}
		// The query has no grouping attribute. So the response contains one group if it contains entities, and otherwise none.
		if len(response.GroupResults) == 0 || len(response.GroupResults[0].EntityResults) == 0 {
			return all, nil
		}
		all = append(all, response.GroupResults[0].EntityResults...)
		if len(all) >= response.GroupResults[0].TotalEntityCount {
			return all, nil
		}
	}
}
