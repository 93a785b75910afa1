package installation

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// gate is an admission webhook that holds writes of the manager, so that a test can stop the manager exactly before a write.
type gate struct {
	mu    sync.Mutex
	holds []*hold
	// probed is true after the API server has called the webhook.
	probed bool
	// expired is true if the API server has refused a write because the webhook held it for longer than heldAtMost.
	expired bool
}

// heldAtMost is how many seconds a write is held at most. The API server accepts no longer timeout of a webhook.
const heldAtMost = 30

// hold is a write that the gate holds.
type hold struct {
	write write
	// held is true when the write is held. released receives whether the write is allowed.
	held     bool
	released chan bool
}

// write describes a write of the manager.
type write struct {
	operation admissionv1.Operation
	// resource is the plural name of the resource, with "/status" for its status.
	resource string
	// matches reports whether the object of the request is the right one. The object is that before a deletion.
	matches func(object *unstructured.Unstructured) bool
}

// heldKinds are the resources whose writes the API server passes to the gate.
var heldKinds = []admissionregistrationv1.Rule{
	{APIGroups: []string{infrav1.GroupVersion.Group}, APIVersions: []string{infrav1.GroupVersion.Version},
		Resources: []string{"nutanixplans", "nutanixplans/status", "nutanixplandecisions", "nutanixplandecisions/status"}},
	{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets", "configmaps"}},
}

// newGate serves a gate for the objects of the cluster and of the namespace of the manager.
func (c *cluster) newGate() *gate {
	c.t.Helper()
	g := &gate{}
	server := httptest.NewTLSServer(g)
	c.t.Cleanup(server.Close)
	webhook := admissionregistrationv1.ValidatingWebhook{
		Name: "gate.example.com", AdmissionReviewVersions: []string{"v1"}, TimeoutSeconds: ptr.To[int32](heldAtMost),
		SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), FailurePolicy: ptr.To(admissionregistrationv1.Fail),
		ClientConfig: admissionregistrationv1.WebhookClientConfig{
			URL: ptr.To(server.URL), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		},
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: []string{c.Namespace, managerNamespace},
		}}},
	}
	for _, rule := range heldKinds {
		webhook.Rules = append(webhook.Rules, admissionregistrationv1.RuleWithOperations{Rule: rule,
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll}})
	}
	config := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: c.Name + "-gate"}, Webhooks: []admissionregistrationv1.ValidatingWebhook{webhook},
	}
	require.NoError(c.t, c.client.Create(c.ctx, config))
	c.t.Cleanup(func() { assert.NoError(c.t, client.IgnoreNotFound(c.client.Delete(c.ctx, config))) })
	c.t.Cleanup(g.refuse)
	c.waitFor("the API server to call the gate", func() (bool, string) {
		probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "gate-probe"}}
		require.NoError(c.t, c.client.Create(c.ctx, probe, client.DryRunAll))
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.probed, ""
	})
	return g
}

// hold holds the next write of the manager that matches.
func (g *gate) hold(write write) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = append(g.holds, &hold{write: write, released: make(chan bool, 1)})
}

// waiting returns the writes that the gate does not hold yet.
func (g *gate) waiting() (writes []write) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, hold := range g.holds {
		if !hold.held {
			writes = append(writes, hold.write)
		}
	}
	return writes
}

// refuse refuses all held writes, and allow allows them. Afterwards the gate holds nothing.
func (g *gate) refuse() { g.release(false) }

func (g *gate) allow() { g.release(true) }

func (g *gate) release(allow bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, hold := range g.holds {
		hold.released <- allow
	}
	g.holds, g.expired = nil, false
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "no admission review", http.StatusBadRequest)
		return
	}
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if hold := g.match(review.Request); hold != nil && !g.wait(r.Context(), hold) {
		response.Allowed, response.Result = false, &metav1.Status{Message: "the gate refuses the write"}
	}
	review.Request, review.Response = nil, response
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// wait waits until a held write is released, or until the API server does not wait any more. It returns whether the write is allowed.
func (g *gate) wait(ctx context.Context, hold *hold) bool {
	select {
	case allow := <-hold.released:
		return allow
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		g.expired = g.expired || slices.Contains(g.holds, hold)
		return false
	}
}

// match returns the hold for a request, or nil if the request is not held.
func (g *gate) match(request *admissionv1.AdmissionRequest) *hold {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probed = true
	resource := strings.TrimSuffix(request.Resource.Resource+"/"+request.SubResource, "/")
	raw := request.Object.Raw
	if request.Operation == admissionv1.Delete {
		raw = request.OldObject.Raw
	}
	object := &unstructured.Unstructured{}
	if request.UserInfo.Username != managerUser || json.Unmarshal(raw, &object.Object) != nil {
		return nil
	}
	for _, hold := range g.holds {
		if !hold.held && hold.write.operation == request.Operation && hold.write.resource == resource && hold.write.matches(object) {
			hold.held = true
			return hold
		}
	}
	return nil
}

// managerUser is the user name of the manager in the test environment.
const managerUser = "capnt-manager"

// hasExpired reports whether a write was not held until it was released.
func (g *gate) hasExpired() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.expired
}

// waitUntilHeld waits until the gate holds all writes.
func (c *cluster) waitUntilHeld(g *gate) {
	c.t.Helper()
	c.waitFor("the manager to be held", func() (bool, string) {
		var missing []string
		for _, write := range g.waiting() {
			missing = append(missing, string(write.operation)+" "+write.resource)
		}
		return len(missing) == 0, strings.Join(missing, ", ")
	})
	require.False(c.t, g.hasExpired(), "a write was held for %d s before the others were: the machine is too slow", heldAtMost)
}
