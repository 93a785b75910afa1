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

// logbook keeps log lines of the usual verbosity.
type logbook struct {
	t     *testing.T
	mu    sync.Mutex
	lines []map[string]any
}

func (l *logbook) logger() logr.Logger {
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

// take returns the lines since it was called last.
func (l *logbook) take() []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// Each run leaves one line that says what it was for and what came of it.
func TestRunsAreLogged(t *testing.T) {
	w := newWorld(t)
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

	w.fail("plan", terraformError("plan", terraform.Transient))
	w.settle()
	assert.Equal(t, []map[string]any{line("A Terraform run failed", "plan", "0s", map[string]any{
		"class": "Transient", "error": "running terraform plan: scripted Transient"})}, w.logs.take())

	w.fail("apply", terraformError("apply", terraform.Quota))
	w.advance(5 * time.Second)
	w.settle()
	lines := w.logs.take()
	require.Len(t, lines, 2)
	first := lines[0]["plan"].(string)
	require.Len(t, first, 12)
	assert.Equal(t, line("Terraform planned", "plan", "0s", planned(first, "Create", 1)), lines[0])
	assert.Equal(t, line("A Terraform run failed", "apply", "0s",
		planned(first, "Create", 1, "class", "Quota", "error", "running terraform apply: scripted Quota")), lines[1])

	w.advance(time.Minute)
	w.step()
	w.wait()
	release := w.block("apply")
	w.step()
	<-w.entered
	w.advance(90 * time.Second)
	release()
	w.wait()
	w.settle()
	lines = w.logs.take()
	require.Len(t, lines, 2)
	second := lines[0]["plan"].(string)
	assert.NotEqual(t, first, second)
	assert.Equal(t, line("Terraform applied the plan", "apply", "1m30s", planned(second, "Create", 1)), lines[1])

	w.step()
	assert.Empty(t, w.logs.take(), "what costs no process logs nothing")
	w.advance(10 * time.Minute)
	w.settle()
	assert.Equal(t, []map[string]any{line("Terraform found nothing to do", "plan", "0s", nil)}, w.logs.take())

	w.identify = func(string) (string, error) { return "", errPrism }
	w.advance(10 * time.Minute)
	w.settle()
	assert.Equal(t, []map[string]any{line("A Terraform run failed", "plan", "0s", map[string]any{
		"class": "PlanFailed", "error": "identifying infrastructure: " + errPrism.Error()})}, w.logs.take())
}

// What stops with the manager is logged too: its log ends with what it left undone.
func TestInterruptedRunIsLogged(t *testing.T) {
	w := newWorld(t)
	w.block("plan")
	w.step()
	<-w.entered
	w.stop()
	require.NoError(t, <-w.stopped)
	lines := w.logs.take()
	require.Len(t, lines, 1)
	assert.Equal(t, "A Terraform run failed", lines[0]["msg"])
	assert.Contains(t, lines[0]["error"], "context canceled")
}
