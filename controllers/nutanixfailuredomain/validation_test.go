package nutanixfailuredomain

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
)

func TestValidity(t *testing.T) {
	for name, tc := range map[string]struct {
		change   func(*infrav1.NutanixFailureDomain)
		failures map[string]error
		unused   bool
		status   metav1.ConditionStatus
		reason   string
		message  string
		comeBack bool
	}{
		"sound": {status: metav1.ConditionTrue, reason: infrav1.FailureDomainValidReason},
		"no cluster": {
			unused: true, status: metav1.ConditionTrue, reason: infrav1.FailureDomainValidReason,
			message: "no cluster uses the failure domain yet",
		},
		"admission was bypassed": {
			change: func(d *infrav1.NutanixFailureDomain) { d.Spec.PrismElementCluster.Name = nil },
			status: metav1.ConditionFalse, reason: infrav1.InvalidSpecReason, message: "spec.prismElementCluster",
		},
		"no such Prism Element": {
			failures: map[string]error{"pe-1": &prism.NotFoundError{Kind: prism.KindPrismElement, Identifier: `name "pe-1"`}},
			status:   metav1.ConditionFalse, reason: infrav1.PrismElementNotFoundReason,
			message: "in the Prism Central of NutanixCluster c-infra: ", comeBack: true,
		},
		"subnet of another Prism Element": {
			failures: map[string]error{"net-2": &prism.WrongPrismElementError{Subnet: `name "net-2"`, Want: "pe-1", Have: []string{"pe-2"}}},
			status:   metav1.ConditionFalse, reason: infrav1.SubnetWrongPrismElementReason, message: "pe-2", comeBack: true,
		},
		"two names of one subnet": {
			change: func(d *infrav1.NutanixFailureDomain) { d.Spec.Subnets = append(d.Spec.Subnets, named("net-1 ")) },
			status: metav1.ConditionFalse, reason: infrav1.SubnetDuplicateReason,
			message: "spec.subnets[0] and spec.subnets[2]", comeBack: true,
		},
		"passing fault": {
			failures: map[string]error{"net-1": errors.New("connection refused")},
			status:   metav1.ConditionUnknown, reason: infrav1.PrismUnreachableReason, message: "connection refused", comeBack: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			prismCentral := &double{failures: map[string]error{}}
			for entity, err := range tc.failures {
				prismCentral.fail("ns", entity, err)
			}
			domain := newDomain("ns")
			if tc.change != nil {
				tc.change(domain)
			}
			users := []*infrav1.NutanixCluster{newNutanixCluster("ns", "fd-1")}
			if tc.unused {
				users = nil
			}
			after := (&Reconciler{Inventory: prismCentral.of}).validate(t.Context(), domain, users)

			valid := conditions.Get(domain, infrav1.FailureDomainValidCondition)
			require.NotNil(t, valid)
			assert.Equal(t, tc.status, valid.Status)
			assert.Equal(t, tc.reason, valid.Reason)
			assert.Contains(t, valid.Message, tc.message)
			assert.Equal(t, tc.comeBack, after > 0, "comes back after %s", after)
		})
	}
}

func TestLastingFaultTakesPrecedenceOverPassingFault(t *testing.T) {
	prismCentral := &double{failures: map[string]error{}}
	prismCentral.fail("a", "net-1", errors.New("connection refused"))
	prismCentral.fail("b", "net-1", &prism.NotFoundError{Kind: prism.KindSubnet, Identifier: `name "net-1"`})
	domain := newDomain("ns")
	(&Reconciler{Inventory: prismCentral.of}).validate(t.Context(), domain, []*infrav1.NutanixCluster{newNutanixCluster("a"), newNutanixCluster("b")})

	valid := conditions.Get(domain, infrav1.FailureDomainValidCondition)
	assert.Equal(t, metav1.ConditionFalse, valid.Status)
	assert.Equal(t, infrav1.SubnetNotFoundReason, valid.Reason)
	assert.Contains(t, valid.Message, "connection refused")
}
