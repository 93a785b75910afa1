package prism

import (
	"context"
	"errors"
	"net/http"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Versions contains the versions of Prism Central ("pc.7.5.1") and of the registered Prism Elements. A version is empty if the account
// may not see it.
type Versions struct {
	Central  string
	Elements []ElementVersion
}

// ElementVersion is a Prism Element with the version of its AOS, for example "7.5.1" or "6.10.1".
type ElementVersion struct {
	Entity
	Version string
}

// Element returns the Prism Element with the name or UUID id.
func (v Versions) Element(id infrav1.NutanixResourceIdentifier) (ElementVersion, error) {
	wanted, err := identify(id, "cluster")
	if err != nil {
		return ElementVersion{}, err
	}
	matches := distinct(v.Elements, func(element ElementVersion) bool { return wanted.is(element.Entity, strings.EqualFold) })
	return single(matches, KindPrismElement, wanted)
}

// Versions returns the versions of Prism Central and of all registered Prism Elements, also of those that are disconnected.
func (c *Client) Versions(ctx context.Context) (Versions, error) {
	clusters, err := find(ctx, c, c.api.clusters(identifier{}), func(all []cluster) ([]cluster, error) { return all, nil })
	if err != nil {
		return Versions{}, err
	}
	var versions Versions
	for _, one := range distinct(clusters, func(cluster) bool { return true }) {
		if one.isElement {
			versions.Elements = append(versions.Elements, ElementVersion{one.Entity, one.version})
		}
		if one.isCentral {
			versions.Central = one.version
		}
	}
	if versions.Central == "" {
		versions.Central, err = c.centralVersion(ctx)
	}
	return versions, err
}

// centralVersion returns the version of a Prism Central that is not in the list of clusters, or an empty string if the account may not
// see it.
func (c *Client) centralVersion(ctx context.Context) (string, error) {
	found, err := find(ctx, c, c.api.centralVersions(), func(all []string) ([]string, error) { return all, nil })
	var status *StatusError
	var authentication *AuthenticationError
	switch {
	case errors.As(err, &status) && !Retryable(err), errors.As(err, &authentication) && authentication.Status == http.StatusForbidden:
		return "", nil
	case err != nil || len(found) == 0:
		return "", err
	}
	return found[0], nil
}
