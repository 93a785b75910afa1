package env

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// The pause between two checks is a twentieth of the time waited so far, within these limits. Checks list whole kinds, and
// short pauses during a long wait take CPU time from what is awaited.
const (
	minPause = 250 * time.Millisecond
	maxPause = time.Second
)

// Check checks whether a state has been reached. If not, progress describes what is missing. An error ends the wait,
// except errors that a retry may fix; see passing.
type Check func(ctx context.Context) (done bool, progress string, err error)

// Wait repeats the check until the check is done or ctx is cancelled. It logs the progress whenever it changes.
func (e *Environment) Wait(ctx context.Context, what string, check Check) error {
	started, said := time.Now(), ""
	for {
		done, progress, err := check(ctx)
		if passing(err) {
			done, progress, err = false, err.Error(), nil
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for %s: %w after %s; last seen: %s", what, ctx.Err(), since(started), said)
		case err != nil:
			return fmt.Errorf("waiting for %s: %w", what, err)
		case done:
			e.options.Log.Info(what, "after", since(started))
			return nil
		case progress != said:
			said = progress
			e.options.Log.Info("waiting for "+what, "now", progress, "after", since(started))
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(max(time.Since(started)/20, minPause), maxPause)):
		}
	}
}

// passing reports whether a retry may succeed after the error err: a connection failed, or the server was overloaded or
// reported an internal error.
func passing(err error) bool {
	if err == nil {
		return false
	}
	if answer := apierrors.APIStatus(nil); errors.As(err, &answer) {
		code := answer.Status().Code
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	return utilnet.IsTimeout(err) || utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) ||
		utilnet.IsHTTP2ConnectionLost(err)
}

// WaitForCondition waits until the object has a condition of the given type in status.conditions with the given status.
// The object can have any API version. If the condition has an observedGeneration, it must equal the object's
// generation.
func (e *Environment) WaitForCondition(ctx context.Context, object client.Object, kind string, status metav1.ConditionStatus) error {
	gvk, err := apiutil.GVKForObject(object, e.scheme)
	if err != nil {
		return fmt.Errorf("waiting for a condition: %w", err)
	}
	key := client.ObjectKeyFromObject(object)
	what := fmt.Sprintf("%s %s to have %s=%s", gvk.Kind, key.Name, kind, status)
	return e.Wait(ctx, what, func(ctx context.Context) (bool, string, error) {
		current := &unstructured.Unstructured{}
		current.SetGroupVersionKind(gvk)
		if err := e.Client.Get(ctx, key, current); err != nil {
			return false, "it does not exist", client.IgnoreNotFound(err)
		}
		for _, condition := range conditionsOf(current) {
			if condition.Type != kind {
				continue
			}
			fresh := condition.ObservedGeneration == 0 || condition.ObservedGeneration >= current.GetGeneration()
			return fresh && condition.Status == status, describe(condition), nil
		}
		return false, "no such condition yet", nil
	})
}

// WaitForGone waits until all objects are deleted.
func (e *Environment) WaitForGone(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		gvk, err := apiutil.GVKForObject(object, e.scheme)
		if err != nil {
			return fmt.Errorf("waiting for an object to be deleted: %w", err)
		}
		key, current := client.ObjectKeyFromObject(object), &unstructured.Unstructured{}
		current.SetGroupVersionKind(gvk)
		err = e.Wait(ctx, fmt.Sprintf("%s %s to be deleted", gvk.Kind, key.Name), func(ctx context.Context) (bool, string, error) {
			err := e.Client.Get(ctx, key, current)
			if apierrors.IsNotFound(err) {
				return true, "", nil
			}
			return false, fmt.Sprintf("finalizers %v", current.GetFinalizers()), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// conditionsOf reads status.conditions as metav1 conditions. It also works for v1beta1 conditions, because all fields
// that the callers use are the same.
func conditionsOf(object *unstructured.Unstructured) []metav1.Condition {
	list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	conditions := make([]metav1.Condition, 0, len(list))
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			continue
		}
		var condition metav1.Condition
		if runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &condition) == nil {
			conditions = append(conditions, condition)
		}
	}
	return conditions
}

func describe(c metav1.Condition) string {
	text := fmt.Sprintf("%s=%s", c.Type, c.Status)
	if c.Reason != "" {
		text += " " + c.Reason
	}
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}

func since(t time.Time) string { return time.Since(t).Round(100 * time.Millisecond).String() }
