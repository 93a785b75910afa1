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
	if wanted.uuid != "" {
		var project intent[struct{}]
		if err := c.get(ctx, &project, "projects", wanted.uuid); err != nil {
			return Entity{}, notFound(err, KindProject, wanted.String())
		}
		return project.entity(), nil
	}
	projects, err := list[intent[struct{}]](ctx, c, "project", equals("name", wanted.name))
	if err != nil {
		return Entity{}, err
	}
	matches := distinct(projects, func(project intent[struct{}]) bool {
		return project.name() == wanted.name && !project.beingDeleted()
	})
	found, err := single(matches, uuidOf, KindProject, wanted)
	return found.entity(), err
}
