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
	choose := func(projects []Entity) (Entity, error) {
		matches := distinct(projects, func(project Entity) bool { return wanted.is(project, sameCase) })
		return single(matches, KindProject, wanted)
	}
	return findEntity(ctx, c, KindProject, wanted, apiV3{c}.projects(wanted), choose) // there is no v4 API for projects
}
