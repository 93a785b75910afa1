package env

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/capnt/capnt/e2e/guest/plane"
)

// etcdTimeout limits the duration of a transaction in the management cluster's etcd.
const etcdTimeout = time.Minute

// Objects returns the objects of Cluster API and its providers in a namespace, including Secrets and Leases, sorted by
// kind and name. It does not return addons, because they depend on the objects that are installed in the workload
// cluster.
func (e *Environment) Objects(ctx context.Context, namespace string) ([]*unstructured.Unstructured, error) {
	kinds, err := e.clusterAPIKinds()
	if err != nil {
		return nil, err
	}
	kinds = append(kinds, corev1.SchemeGroupVersion.WithKind("Secret"), coordinationv1.SchemeGroupVersion.WithKind("Lease"))
	var objects []*unstructured.Unstructured
	for _, kind := range kinds {
		if kind.Group == addonsv1.GroupVersion.Group {
			continue
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := e.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing %s: %w", kind.Kind, err)
		}
		for i := range list.Items {
			objects = append(objects, &list.Items[i])
		}
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(strings.Compare(a.GetKind(), b.GetKind()), strings.Compare(a.GetName(), b.GetName()))
	})
	return objects, nil
}

// Restore writes objects into etcd without changes, including UIDs, generations, timestamps and status, because the API
// server does not accept these fields from clients. Restore writes all objects in one transaction, so that no
// controller and no garbage collector sees an object without its owner. None of the objects may exist before.
func (e *Environment) Restore(ctx context.Context, objects []*unstructured.Unstructured) error {
	authority, err := plane.EtcdClientTLS(e.plane.etcd.Authority)
	if err != nil {
		return err
	}
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints: []string{e.plane.etcd.ClientURL()}, TLS: authority, DialTimeout: etcdTimeout, Logger: zap.NewNop(),
	})
	if err != nil {
		return fmt.Errorf("restoring objects: connecting to etcd: %w", err)
	}
	defer func() { _ = etcd.Close() }()
	var absent []clientv3.Cmp
	var puts []clientv3.Op
	for _, object := range objects {
		key, content, err := e.stored(object)
		if err != nil {
			return fmt.Errorf("restoring %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		absent = append(absent, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
		puts = append(puts, clientv3.OpPut(key, content))
	}
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	result, err := etcd.Txn(ctx).If(absent...).Then(puts...).Commit()
	switch {
	case err != nil:
		return fmt.Errorf("restoring objects: writing to etcd: %w", err)
	case !result.Succeeded:
		return errors.New("restoring objects: at least one of them exists already")
	}
	return rewrite(ctx, etcd, puts, result.Header.Revision)
}

// rewrite writes the objects of a transaction again, each in its own transaction. While the API server's watch cache
// processes the first transaction, a list may contain only some of the objects, although it has the resource version of
// the whole transaction. Without the second write, a watch from that version would never report the missing objects.
func rewrite(ctx context.Context, etcd *clientv3.Client, puts []clientv3.Op, revision int64) error {
	for _, put := range puts {
		unchanged := clientv3.Compare(clientv3.ModRevision(string(put.KeyBytes())), "=", revision)
		if _, err := etcd.Txn(ctx).If(unchanged).Then(put).Commit(); err != nil {
			return fmt.Errorf("restoring objects: writing %s to etcd again: %w", put.KeyBytes(), err)
		}
	}
	return nil
}

// stored returns the etcd key of an object and the content to be stored under that key. The content is JSON, because
// the API server can read JSON for every kind, even for kinds that it writes as protobuf.
func (e *Environment) stored(object *unstructured.Unstructured) (key, content string, err error) {
	kind := object.GroupVersionKind()
	mapping, err := e.Client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return "", "", fmt.Errorf("finding the resource: %w", err)
	}
	kept := object.DeepCopy()
	kept.SetResourceVersion("") // etcd stores the resource version as the revision of the key
	raw, err := json.Marshal(kept.Object)
	if err != nil {
		return "", "", err
	}
	return path.Join("/registry", storedGroup(mapping.Resource), mapping.Resource.Resource, object.GetNamespace(), object.GetName()), string(raw), nil
}

// storedGroup returns the API group that is part of the etcd key. The keys of custom resources contain the API group,
// but the keys of Secrets and Leases do not.
func storedGroup(resource schema.GroupVersionResource) string {
	if strings.HasSuffix(resource.Group, clusterAPIGroup) {
		return resource.Group
	}
	return ""
}
