package policy

import (
	"fmt"

	"github.com/google/cel-go/cel"
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

type compiled struct {
	program cel.Program
	err     error
}

// compileStored returns the program of an expression of a stored policy.
func compileStored(expression string, result *cel.Type) (cel.Program, error) {
	key := cacheKey{expression, result.String()}
	if value, ok := cache.Get(key); ok {
		if known, ok := value.(compiled); ok {
			return known.program, known.err
		}
	}
	program, err := compile(expression, result, environment.StoredExpressions)
	cache.Add(key, compiled{program, err})
	return program, err
}

// compile checks the types of an expression, and returns its program. The expression must have the result type.
func compile(expression string, result *cel.Type, mode environment.Type) (cel.Program, error) {
	set, err := environments()
	if err != nil {
		return nil, err
	}
	env, err := set.Env(mode)
	if err != nil {
		return nil, fmt.Errorf("selecting the CEL environment: %w", err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, describe(issues)
	}
	if !ast.OutputType().IsExactType(result) {
		return nil, fmt.Errorf("the result must be %s, but it is %s", result, ast.OutputType())
	}
	program, err := env.Program(ast, cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return nil, fmt.Errorf("preparing the program: %w", err)
	}
	return program, nil
}
