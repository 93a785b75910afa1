package policy

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	baseversion "k8s.io/component-base/version"
)

// Names of the variables of expressions. The namespace has the name that it has in a ValidatingAdmissionPolicy, because "namespace" is
// reserved in CEL.
const (
	planVariable         = "plan"
	machineVariable      = "machine"
	clusterVariable      = "cluster"
	namespaceVariable    = "namespaceObject"
	machineCountVariable = "machineCount"
	nowVariable          = "now"
)

// compatibility is the version of Kubernetes whose libraries new expressions can use. As in Kubernetes, it is the version before the one of
// the imported packages. environment.DefaultCompatibilityVersion depends on the version that was linked into the program.
var compatibility = version.MustParseMajorMinor(baseversion.DefaultKubeBinaryVersion).SubtractMinor(1)

// environments returns the CEL environments of policies. It builds them once: the environment for new expressions has the libraries that
// all supported releases of Kubernetes have, and the environment for stored expressions has all libraries.
var environments = sync.OnceValues(func() (*environment.EnvSet, error) {
	schemas, err := loadSchemas()
	if err != nil {
		return nil, err
	}
	options := environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0)}
	for _, variable := range []struct {
		name, typeName string
		schema         *schema.Structural
	}{
		{planVariable, "NutanixPlan", schemas.plan},
		{machineVariable, "NutanixMachine", schemas.machine},
		{clusterVariable, "NutanixCluster", schemas.cluster},
		{namespaceVariable, "Namespace", schemas.namespace},
	} {
		declaration := model.SchemaDeclType(variable.schema, false).MaybeAssignTypeName(variable.typeName)
		options.DeclTypes = append(options.DeclTypes, declaration)
		options.EnvOptions = append(options.EnvOptions, cel.Variable(variable.name, declaration.CelType()))
	}
	options.EnvOptions = append(options.EnvOptions,
		cel.Variable(machineCountVariable, cel.IntType),
		cel.Variable(nowVariable, cel.TimestampType))
	set, err := environment.MustBaseEnvSet(compatibility).Extend(options, environment.StrictCostOpt)
	if err != nil {
		return nil, fmt.Errorf("building the CEL environment of policies: %w", err)
	}
	return set, nil
})
