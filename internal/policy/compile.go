package policy

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"k8s.io/apimachinery/pkg/util/sets"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/utils/lru"
)

// cacheSize is the number of compiled expressions that are kept. A compiled expression takes some KiB.
const cacheSize = 1024

// cache contains the results of compileStored by expression and result type. The result depends on nothing else, so it is valid for
// every policy with this expression and for all of their generations.
var cache = lru.New(cacheSize)

type cacheKey struct {
	expression, result string
}

// compiled is the result of compileStored.
type compiled struct {
	program program
	err     error
}

// program is a compiled expression.
type program struct {
	cel.Program
	// volatile says that the expression reads a variable of volatileVariables.
	volatile bool
}

// volatileVariables can have another value although neither the plan nor an object that the manager watches for it has changed.
var volatileVariables = sets.New(nowVariable, machineCountVariable, namespaceVariable)

// compileStored returns the program of an expression of a stored policy.
func compileStored(expression string, result *cel.Type) (program, error) {
	key := cacheKey{expression, result.String()}
	if value, ok := cache.Get(key); ok {
		if known, ok := value.(compiled); ok {
			return known.program, known.err
		}
	}
	made, err := compile(expression, result, environment.StoredExpressions)
	cache.Add(key, compiled{made, err})
	return made, err
}

// compile checks the types of an expression, and returns its program. The expression must have the result type.
func compile(expression string, result *cel.Type, mode environment.Type) (program, error) {
	set, err := environments()
	if err != nil {
		return program{}, err
	}
	env, err := set.Env(mode)
	if err != nil {
		return program{}, fmt.Errorf("selecting the CEL environment: %w", err)
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return program{}, describe(issues)
	}
	if !checked.OutputType().IsExactType(result) {
		return program{}, fmt.Errorf("the result must be %s, but it is %s", result, checked.OutputType())
	}
	made, err := env.Program(checked, cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return program{}, fmt.Errorf("preparing the program: %w", err)
	}
	uses := ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), func(node ast.NavigableExpr) bool {
		return node.Kind() == ast.IdentKind && volatileVariables.Has(node.AsIdent())
	})
	return program{made, len(uses) > 0}, nil
}
