package prism

import (
	"context"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindProject is the kind that errors about projects name.
const KindProject = "project"

// Project returns the project with the name or UUID id. Names are case-sensitive.
func (c *Client) Project(ctx context.Context, id infrav1.NutanixResourceIdentifier) (Entity, error) {
	wanted, err := identify(id, "project")
	if err != nil {
		return Entity{}, err
	}
	choose := func(projects []intent[struct{}]) (Entity, error) {
		matches := distinct(projects, func(project intent[struct{}]) bool {
			return wanted.uuid != "" || project.name() == wanted.name && !project.beingDeleted()
		})
		found, err := single(matches, uuidOf, KindProject, wanted)
		return found.entity(), err
	}
	return findEntity(ctx, c, cachedProjects, KindProject, wanted, equals("name", wanted.name), choose)
}
