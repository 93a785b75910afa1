package prism

import (
	"context"
	"strings"
)

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

func (apiV3) containers(string) lookUp[[]container] {
	return converted(groupsOf("storage_container", attributeContainerName, attributeCluster), func(in groupsEntity) (container, bool) {
		return container{Entity{UUID: strings.ToLower(in.EntityID), Name: in.value(attributeContainerName)}, in.value(attributeCluster)}, true
	})
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
