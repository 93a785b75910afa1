package prism

import "context"

// Generation is the generation of the API through which a Client reads.
type Generation string

// Generations of the API. The zero value is V3.
const (
	V3 Generation = "v3"
	V4 Generation = "v4"
)

// api reads entities through one generation of the API. The methods that return a lookUp are cached. Projects have no v4 API, so Client reads
// them through v3.
type api interface {
	ping(ctx context.Context) error
	// The result contains the entity with the UUID in wanted. The clusters include Prism Central. If wanted contains a name, it contains at least all entities with this name.
	clusters(wanted identifier) lookUp[[]cluster]
	// centralVersions looks up the version of Prism Central. The result has one element.
	centralVersions() lookUp[[]string]
	images(wanted identifier) lookUp[[]Image]
	subnets(wanted identifier) lookUp[[]subnet]
	// The result contains at least the entities of the Prism Element.
	containers(prismElementUUID string) lookUp[[]container]
	hosts(prismElementUUID string) lookUp[[]host]
	// category looks up a category. The result is nil if the category does not exist.
	category(key, value string) lookUp[*Category]

	vm(ctx context.Context, uuid string) (*VM, error)
	allVMs(ctx context.Context) (VMList, error)
	vmsOfCategory(ctx context.Context, key, value string) ([]VM, error)
	task(ctx context.Context, uuid string) (*Task, error)
	attachments(ctx context.Context, vmUUID string) (*Attachments, error)
	// detach sends the request that detaches volume groups, and returns the UUID of its task.
	detach(ctx context.Context, attachments *Attachments) (task string, err error)
}
