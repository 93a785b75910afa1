package lifecycle

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/terraform"
)

// logRecorder stores log lines of the default verbosity.
type logRecorder struct {
	t     *testing.T
	mu    sync.Mutex
	lines []map[string]any
}

func (l *logRecorder) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		values := map[string]any{}
		assert.NoError(l.t, json.Unmarshal([]byte(line), &values))
		assert.NotContains(l.t, line, password)
		delete(values, "logger")
		delete(values, "level")
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, values)
	}, funcr.Options{})
}

// take returns the lines that were logged since the last call of take.
func (l *logRecorder) take() []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// TestRunsAreLogged proves that each run logs one line with its action and its outcome.
func TestRunsAreLogged(t *testing.T) {
	f := newFixture(t)
	line := func(message, action, duration string, more map[string]any) map[string]any {
		values := map[string]any{"msg": message, "NutanixMachine": map[string]any{"namespace": "default", "name": "m-1"}, "action": action, "duration": duration}
		for key, value := range more {
			values[key] = value
		}
		return values
	}
	planned := func(sha, cause string, creates float64, more ...string) map[string]any {
		values := map[string]any{"plan": sha, "cause": cause, "create": creates, "update": 0.0, "replace": 0.0, "delete": 0.0, "import": 0.0}
		for i := 0; i < len(more); i += 2 {
			values[more[i]] = more[i+1]
		}
		return values
	}

	f.fail("plan", terraformError("plan", terraform.Transient))
	f.settle()
	assert.Equal(t, []map[string]any{line("A Terraform run failed", "plan", "0s", map[string]any{
		"class": "Transient", "error": "running terraform plan: scripted Transient"})}, f.logs.take())

	f.fail("apply", terraformError("apply", terraform.Quota))
	f.advance(5 * time.Second)
	f.settle()
	lines := f.logs.take()
	require.Len(t, lines, 2)
	first := lines[0]["plan"].(string)
	require.Len(t, first, 12)
	assert.Equal(t, line("Terraform planned", "plan", "0s", planned(first, "Create", 1)), lines[0])
	assert.Equal(t, line("A Terraform run failed", "apply", "0s",
		planned(first, "Create", 1, "class", "Quota", "error", "running terraform apply: scripted Quota")), lines[1])

	f.advance(time.Minute)
	f.step()
	f.wait()
	release := f.block("apply")
	f.step()
	<-f.entered
	f.advance(90 * time.Second)
	release()
	f.wait()
	f.settle()
	lines = f.logs.take()
	require.Len(t, lines, 2)
	second := lines[0]["plan"].(string)
	assert.NotEqual(t, first, second)
	assert.Equal(t, line("Terraform applied the plan", "apply", "1m30s", planned(second, "Create", 1)), lines[1])

	f.step()
	assert.Empty(t, f.logs.take(), "what costs no process logs nothing")
	f.advance(10 * time.Minute)
	f.settle()
	assert.Equal(t, []map[string]any{line("Terraform found nothing to do", "plan", "0s", nil)}, f.logs.take())

	f.identify = func(string) (string, error) { return "", errPrism }
	f.advance(10 * time.Minute)
	f.settle()
	assert.Equal(t, []map[string]any{line("A Terraform run failed", "plan", "0s", map[string]any{
		"class": "PlanFailed", "error": "identifying infrastructure: " + errPrism.Error()})}, f.logs.take())
}

// TestInterruptedRunIsLogged proves that a run is also logged if the stop of the manager interrupts it.
func TestInterruptedRunIsLogged(t *testing.T) {
	f := newFixture(t)
	f.block("plan")
	f.step()
	<-f.entered
	f.stop()
	require.NoError(t, <-f.stopped)
	lines := f.logs.take()
	require.Len(t, lines, 1)
	assert.Equal(t, "A Terraform run failed", lines[0]["msg"])
	assert.Contains(t, lines[0]["error"], "context canceled")
}
