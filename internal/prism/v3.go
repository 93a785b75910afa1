package prism

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// apiV3 implements api with the v3 API.
type apiV3 struct{ *Client }

// reference is a reference to another entity.
type reference struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

// intent is an entity of the v3 API. The documentation of the API calls this format an intent. R is the type of status.resources.
type intent[R any] struct {
	Metadata struct {
		UUID         string            `json:"uuid"`
		Name         string            `json:"name"`
		CreationTime time.Time         `json:"creation_time"`
		Categories   map[string]string `json:"categories"`
		// CategoriesMapping contains all values of each key. Categories contains only one value of each key.
		CategoriesMapping map[string][]string `json:"categories_mapping"`
	} `json:"metadata"`
	Spec   specification `json:"spec"`
	Status struct {
		Name                 string      `json:"name"`
		Description          string      `json:"description"`
		State                string      `json:"state"`
		ClusterReference     reference   `json:"cluster_reference"`
		ClusterReferenceList []reference `json:"cluster_reference_list"`
		Resources            R           `json:"resources"`
	} `json:"status"`
}

// specification is the spec of an entity.
type specification struct {
	Name, Description string
	raw               json.RawMessage
}

func (s *specification) UnmarshalJSON(data []byte) error {
	var fields struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	s.Name, s.Description, s.raw = fields.Name, fields.Description, slices.Clone(data)
	return nil
}

// name returns the current name from status. If there is none, it returns the requested name from spec.
func (i intent[R]) name() string {
	for _, name := range []string{i.Status.Name, i.Spec.Name, i.Metadata.Name} {
		if name != "" {
			return name
		}
	}
	return ""
}

func (i intent[R]) entity() Entity {
	return Entity{UUID: strings.ToLower(i.Metadata.UUID), Name: i.name()}
}

// beingDeleted reports whether the entity is being deleted, which is the case if its state begins with DELETE.
func (i intent[R]) beingDeleted() bool {
	return strings.HasPrefix(i.Status.State, "DELETE")
}

// entities is the look-up of the entity with the UUID in wanted, or of the entities that filter selects. Entities for which convert
// returns false are left out.
func entities[R, T any](kind cachedKind, wanted identifier, filter string, convert func(intent[R]) (T, bool)) lookUp[[]T] {
	request := listOf[intent[R]](kind, filter)
	if wanted.uuid != "" {
		request = entityOf[intent[R]](kind, wanted.uuid)
	}
	return converted(request, convert)
}

func (a apiV3) ping(ctx context.Context) error {
	var page listResponse[struct{}]
	return a.post(ctx, "clusters/list", listRequest{Kind: "cluster", Length: 1}, &page)
}

type clusterResources struct {
	Config struct {
		ServiceList []string `json:"service_list"`
		// IsAvailable is false while the Prism Element is disconnected from Prism Central.
		IsAvailable *bool `json:"is_available"`
		Build       struct {
			Version string `json:"version"`
		} `json:"build"`
	} `json:"config"`
}

func (apiV3) clusters(wanted identifier) lookUp[[]cluster] {
	// The list has no filter, because some versions of Prism Central ignore filters for clusters.
	return entities(cachedClusters, wanted, "", func(in intent[clusterResources]) (cluster, bool) {
		config := in.Status.Resources.Config
		has := func(name string) bool {
			return slices.ContainsFunc(config.ServiceList, func(service string) bool { return strings.EqualFold(service, name) })
		}
		return cluster{
			Entity: in.entity(), isElement: has("AOS"), version: config.Build.Version,
			available: config.IsAvailable == nil || *config.IsAvailable,
		}, true
	})
}

// centralVersions reads the version from where prism-go-client reads it, because the build in the list of clusters may have another
// number.
func (apiV3) centralVersions() lookUp[[]string] {
	type central struct {
		Resources struct {
			Version string `json:"version"`
		} `json:"resources"`
	}
	return converted(entityOf[central](cachedCentral), func(in central) (string, bool) { return in.Resources.Version, true })
}

type imageResources struct {
	SizeBytes int64 `json:"size_bytes"`
}

func (apiV3) images(wanted identifier) lookUp[[]Image] {
	// The list has no filter, because filters are case-sensitive.
	return entities(cachedImages, wanted, "", func(in intent[imageResources]) (Image, bool) {
		return Image{Entity: in.entity(), SizeBytes: in.Status.Resources.SizeBytes, CreationTime: in.Metadata.CreationTime}, !in.beingDeleted()
	})
}

type subnetResources struct {
	SubnetType           string      `json:"subnet_type"`
	ClusterReferenceList []reference `json:"cluster_reference_list"`
}

func (apiV3) subnets(wanted identifier) lookUp[[]subnet] {
	return entities(cachedSubnets, wanted, equals("name", wanted.name), func(in intent[subnetResources]) (subnet, bool) {
		// If a subnet exists on several Prism Elements, it contains a list of references.
		elements := slices.Concat([]reference{in.Status.ClusterReference}, in.Status.ClusterReferenceList, in.Status.Resources.ClusterReferenceList)
		overlay := strings.EqualFold(in.Status.Resources.SubnetType, "OVERLAY")
		return subnet{Entity: in.entity(), overlay: overlay, prismElements: elements}, wanted.uuid != "" || !in.beingDeleted()
	})
}

func (apiV3) projects(wanted identifier) lookUp[[]Entity] {
	return entities(cachedProjects, wanted, equals("name", wanted.name), func(in intent[struct{}]) (Entity, bool) {
		return in.entity(), wanted.uuid != "" || !in.beingDeleted()
	})
}

func (apiV3) category(key, value string) lookUp[*Category] {
	request := entityOf[struct{}](cachedCategories, key, value)
	return lookUp[*Category]{key: request.key, read: func(ctx context.Context, c *Client) (*Category, error) {
		_, err := request.read(ctx, c)
		var missing *NotFoundError
		var status *StatusError
		switch {
		case errors.As(notFound(err, KindCategory, ""), &missing), errors.As(err, &status) && status.Reason == "CATEGORY_NAME_VALUE_MISMATCH":
			return nil, nil
		case err != nil:
			return nil, err
		}
		return &Category{Key: key, Value: value}, nil
	}}
}

type hostResources struct {
	GPUList []struct {
		Name              string     `json:"name"`
		Vendor            string     `json:"vendor"`
		Mode              string     `json:"mode"`
		DeviceID          int64      `json:"device_id"`
		Status            string     `json:"status"`
		Assignable        bool       `json:"assignable"`
		ConsumerReference *reference `json:"consumer_reference"`
	} `json:"gpu_list"`
}

func (apiV3) hosts(string) lookUp[[]host] {
	return entities(cachedHosts, identifier{}, "", func(in intent[hostResources]) (host, bool) {
		out := host{Entity: in.entity(), prismElement: in.Status.ClusterReference.UUID}
		for _, gpu := range in.Status.Resources.GPUList {
			free := gpu.Status == "UNUSED"
			if gpu.Mode == GPUVirtual {
				// A virtual GPU can be free even if other virtual GPUs of the same card are in use.
				free = gpu.Assignable && gpu.Status != "USED_FOR_PASSTHROUGH"
			}
			used := gpu.ConsumerReference != nil && gpu.ConsumerReference.UUID != ""
			out.gpus = append(out.gpus, hostGPU{GPU{Name: gpu.Name, Vendor: gpu.Vendor, Mode: gpu.Mode, DeviceID: gpu.DeviceID}, free && !used})
		}
		return out, true
	})
}
