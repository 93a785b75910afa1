package prism

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capnt/capnt/internal/prism/transport"
	"github.com/capnt/capnt/internal/prismv4"
)

// apiV4 implements api with the v4 API. prism sends its requests through the transport of the Client.
type apiV4 struct {
	*Client
	prism *prismv4.Client
}

func newV4(c *Client, upstream Upstream) apiV4 {
	host, port, _ := net.SplitHostPort(upstream.Address) // the transport replaces the host of each request
	number, _ := strconv.Atoi(port)
	endpoint := prismv4.Endpoint{
		Address: host, Port: number, Username: upstream.Username, Password: upstream.Password, APIKey: upstream.APIKey,
	}
	return apiV4{c, prismv4.New(prismv4.Options{
		Endpoint:     func(context.Context) (prismv4.Endpoint, error) { return endpoint, nil },
		Limits:       func() prismv4.Limits { return prismv4.Limits{Timeout: requestTimeout, Tries: 1} },
		RoundTripper: c.transport,
		UserAgent:    userAgent,
	})}
}

// v4Entity contains the fields that all entities of the v4 API have.
type v4Entity struct {
	ExtID string `json:"extId"`
	Name  string `json:"name"`
}

func (e *v4Entity) key() string { return e.ExtID }

func (e *v4Entity) entity() Entity { return Entity{UUID: strings.ToLower(e.ExtID), Name: e.Name} }

// v4Kind is a kind of entity in the v4 API. M is the type of its entities in responses.
type v4Kind[M, T any] struct {
	namespace, path string
	key             func(*M) string
	item            func(*M) T
}

func (k v4Kind[M, T]) list(where ...prismv4.Condition) prismv4.Listing[M, T] {
	return prismv4.Listing[M, T]{Operation: k.path, Namespace: k.namespace, Path: k.path, Where: where, Key: k.key, Item: k.item}
}

// lookUp is the look-up of the entity with the UUID in wanted, or of the entities that the conditions select. Callers must check the entities,
// because Prism Central may reject a condition.
func (k v4Kind[M, T]) lookUp(a apiV4, wanted identifier, where ...prismv4.Condition) lookUp[[]T] {
	return lookUp[[]T]{
		key: fmt.Sprintf("%s %s%s %q %q", http.MethodGet, k.namespace, k.path, wanted.uuid, where),
		read: func(ctx context.Context, _ *Client) (found []T, err error) {
			if wanted.uuid != "" {
				one, err := k.get(ctx, a, wanted.uuid)
				return []T{one}, err
			}
			err = a.call(ctx, k.namespace+k.path, func(ctx context.Context) (err error) {
				found, err = prismv4.List(ctx, a.prism, k.list(where...))
				return err
			})
			return found, err
		},
	}
}

func (k v4Kind[M, T]) get(ctx context.Context, a apiV4, uuid string) (one T, err error) {
	id, err := prismv4.Segment(k.path, uuid)
	if err != nil {
		return one, a.failure(k.path, err)
	}
	err = a.call(ctx, k.namespace+k.path+"/"+id, func(ctx context.Context) error {
		found, _, err := prismv4.Get(ctx, a.prism, prismv4.Object[M]{
			Operation: k.path, Namespace: k.namespace, Path: k.path + "/" + id, Key: k.key, UUID: uuid,
		})
		if err == nil {
			one = k.item(found)
		}
		return err
	})
	return one, err
}

// call calls send, which sends requests for path, and converts its error.
func (a apiV4) call(ctx context.Context, path string, send func(context.Context) error) error {
	ctx, end, err := a.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	err = send(ctx)
	var notResponding *NotRespondingError
	if err != nil && errors.As(context.Cause(ctx), &notResponding) {
		return notResponding
	}
	return a.failure(path, err)
}

// failure converts an error of internal/prismv4 to an error of this package.
func (a apiV4) failure(path string, err error) error {
	var failed *prismv4.Error
	var refused *transport.CredentialsRefusedError
	switch {
	case errors.As(err, &refused):
		return &AuthenticationError{Address: a.address, Status: http.StatusUnauthorized, RetryAt: refused.RetryAt}
	case !errors.As(err, &failed):
		return err
	case failed.Kind == prismv4.Unauthorized:
		return a.authenticationError(http.StatusUnauthorized, failed.Message)
	case failed.Kind == prismv4.Forbidden:
		return a.authenticationError(http.StatusForbidden, failed.Message)
	case failed.Kind == prismv4.NotFound:
		return &StatusError{Address: a.address, Path: path, Status: failed.Status, Reason: reasonNotFound, Message: failed.Message}
	case failed.Status == 0 && failed.Kind == prismv4.Invalid:
		return &InvalidError{Field: "uuid", Reason: failed.Message}
	case failed.Status >= http.StatusOK && failed.Status < http.StatusMultipleChoices,
		failed.Status == 0 && failed.Message != "", errors.Is(err, io.ErrUnexpectedEOF):
		return &ResponseError{Address: a.address, Path: path, Err: reasonOf(failed)}
	case failed.Status == 0:
		return fmt.Errorf("requesting %s from Prism Central %s: %w", path, a.address, &url.Error{Op: "sending", URL: "https://" + a.address, Err: failed.Cause})
	}
	reason := failed.Group
	if failed.Status == http.StatusNotFound {
		reason = "" // with a reason, the error would mean that the entity does not exist
	}
	return &StatusError{Address: a.address, Path: path, Status: failed.Status, Reason: reason, Message: failed.Message}
}

// reasonOf returns the message and the cause of an error without its operation and kind.
func reasonOf(failed *prismv4.Error) error {
	switch {
	case failed.Message == "":
		return failed.Cause
	case failed.Cause == nil:
		return errors.New(failed.Message)
	}
	return fmt.Errorf("%s: %w", failed.Message, failed.Cause)
}

func (a apiV4) ping(ctx context.Context) error {
	_, err := a.clusters(identifier{}).read(ctx, a.Client)
	return err
}

type v4BuildInfo struct {
	Version string `json:"version"`
}

type v4Cluster struct {
	v4Entity
	Config struct {
		Functions   []string    `json:"clusterFunction"`
		IsAvailable *bool       `json:"isAvailable"`
		BuildInfo   v4BuildInfo `json:"buildInfo"`
	} `json:"config"`
}

// clusters reads the list even if wanted contains a UUID, because the error for a cluster that does not exist is not documented. The list
// has no filter, because filters are case-sensitive.
func (a apiV4) clusters(identifier) lookUp[[]cluster] {
	return v4Kind[v4Cluster, cluster]{prismv4.ClusterMgmt, "/config/clusters", (*v4Cluster).key, func(in *v4Cluster) cluster {
		return cluster{
			Entity: in.entity(), isElement: slices.Contains(in.Config.Functions, "AOS"),
			isCentral: slices.Contains(in.Config.Functions, "PRISM_CENTRAL"), version: in.Config.BuildInfo.Version,
			available: in.Config.IsAvailable == nil || *in.Config.IsAvailable,
		}
	}}.lookUp(a, identifier{})
}

type v4DomainManager struct {
	v4Entity
	Config struct {
		BuildInfo v4BuildInfo `json:"buildInfo"`
	} `json:"config"`
}

func (a apiV4) centralVersions() lookUp[[]string] {
	return v4Kind[v4DomainManager, string]{prismv4.Prism, "/config/domain-managers", (*v4DomainManager).key, func(in *v4DomainManager) string {
		return in.Config.BuildInfo.Version
	}}.lookUp(a, identifier{})
}

type v4Image struct {
	v4Entity
	SizeBytes  int64     `json:"sizeBytes"`
	CreateTime time.Time `json:"createTime"`
}

func (a apiV4) images(wanted identifier) lookUp[[]Image] {
	// The list has no filter, because filters are case-sensitive.
	return v4Kind[v4Image, Image]{prismv4.VMM, "/content/images", (*v4Image).key, func(in *v4Image) Image {
		return Image{Entity: in.entity(), SizeBytes: in.SizeBytes, CreationTime: in.CreateTime}
	}}.lookUp(a, wanted)
}

type v4Subnet struct {
	v4Entity
	SubnetType           string   `json:"subnetType"`
	ClusterReference     string   `json:"clusterReference"`
	ClusterName          string   `json:"clusterName"`
	ClusterReferenceList []string `json:"clusterReferenceList"`
	ClusterNameList      []string `json:"clusterNameList"`
}

func (a apiV4) subnets(wanted identifier) lookUp[[]subnet] {
	return v4Kind[v4Subnet, subnet]{prismv4.Networking, "/config/subnets", (*v4Subnet).key, func(in *v4Subnet) subnet {
		elements := []reference{{UUID: in.ClusterReference, Name: in.ClusterName}}
		for i, uuid := range in.ClusterReferenceList {
			element := reference{UUID: uuid}
			if len(in.ClusterNameList) == len(in.ClusterReferenceList) {
				element.Name = in.ClusterNameList[i]
			}
			elements = append(elements, element)
		}
		return subnet{Entity: in.entity(), overlay: in.SubnetType == "OVERLAY", prismElements: elements}
	}}.lookUp(a, wanted, prismv4.Equals("name", wanted.name))
}

type v4Container struct {
	v4Entity
	// ContainerExtID is the UUID that other entities use for the storage container.
	ContainerExtID string `json:"containerExtId"`
	ClusterExtID   string `json:"clusterExtId"`
}

func (c *v4Container) key() string { return c.ContainerExtID }

func (a apiV4) containers(prismElementUUID string) lookUp[[]container] {
	return v4Kind[v4Container, container]{prismv4.ClusterMgmt, "/config/storage-containers", (*v4Container).key, func(in *v4Container) container {
		return container{Entity{UUID: strings.ToLower(in.ContainerExtID), Name: in.Name}, in.ClusterExtID}
	}}.lookUp(a, identifier{}, prismv4.Equals("clusterExtId", prismElementUUID))
}
