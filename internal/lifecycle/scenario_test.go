package lifecycle

import (
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// scenarios are sequences of steps for an object that is not being deleted. The test compares each transcript with a file in testdata.
var scenarios = map[string]func(f *fixture){
	"create": func(f *fixture) {
		f.settle()
		f.step() // in sync, so no run starts
		f.advance(10 * time.Minute)
		f.settle() // checks for drift and finds none
	},
	"nothing-to-do": func(f *fixture) {
		f.addResource(machineAddress, "vm-1", false)
		f.settle()
	},
	"import": func(f *fixture) {
		f.identify = func(known string) (string, error) {
			if known == "" {
				return "vm-7", nil
			}
			return "", nil
		}
		f.settle()
	},
	"state-knows-the-wrong-machine": func(f *fixture) {
		f.addResource(machineAddress, "vm-gone", false)
		f.identify = func(string) (string, error) { return "vm-7", nil }
		f.settle()
	},
	"identify-fails": func(f *fixture) {
		f.settle()
		f.identify = func(string) (string, error) { return "", errPrism }
		f.advance(10 * time.Minute)
		f.settle()
		f.identify = func(string) (string, error) { return "", nil }
		f.advance(5 * time.Second)
		f.settle()
	},
	"conflict": func(f *fixture) {
		f.identify = func(string) (string, error) {
			return "", &ConflictError{Message: "a virtual machine named m-1 that is not ours exists"}
		}
		f.settle()
		f.step() // waits
		f.advance(5 * time.Second)
		f.settle() // waits longer than before
		f.advance(10 * time.Second)
		f.identify = func(string) (string, error) { return "", nil }
		f.settle()
	},
	"tainted-healthy": func(f *fixture) {
		f.addResource(machineAddress, "vm-1", true)
		f.settle()
	},
	"state-is-written-later": func(f *fixture) {
		f.fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "failed to save state", ErroredState: []byte(`"the state"`)})
		f.fail("push", terraformError("state push", terraform.Transient))
		f.settle()
		f.advance(5 * time.Second)
		f.settle() // the backend still does not respond
		f.advance(10 * time.Second)
		f.settle() // the backend responds again
	},
	"newer-state-than-the-unwritten-one": func(f *fixture) {
		f.fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "failed to save state", ErroredState: []byte(`"the state"`)})
		f.fail("push", &terraform.Error{Verb: "state push", Class: terraform.Invalid, Message: "cannot import state with serial 3 over newer state with serial 5"})
		f.settle()
		f.identify = func(known string) (string, error) { // the apply created the machine, but the newer state does not contain it
			if known == "" {
				return "vm-1", nil
			}
			return "", nil
		}
		f.advance(5 * time.Second)
		f.settle()
	},
	"tainted-shared": func(f *fixture) {
		f.target.Shared = []string{renderer.CategoryKeyAddress}
		f.addResource(machineAddress, "vm-1", false)
		f.addResource(renderer.CategoryKeyAddress, "KubernetesClusterName", true)
		f.settle()
	},
	"tainted-unhealthy": func(f *fixture) {
		f.addResource(machineAddress, "vm-1", true)
		f.healthy = func(string) (bool, error) { return false, nil }
		f.settle()
		f.step() // waits for a person
		f.advance(10 * time.Minute)
		f.healthy = func(string) (bool, error) { return true, nil }
		f.settle() // checks the health again
	},
	"stale-plan": func(f *fixture) {
		f.step()
		f.wait()
		f.addResource("module.machine.other", "other", false) // another process writes the state between plan and apply
		f.settle()
	},
	"workspace-changes-before-apply": func(f *fixture) {
		f.step()
		f.wait()
		f.render("digest-2")
		f.settle()
	},
	"crash-between-apply-and-publish": func(f *fixture) {
		f.step()
		f.wait()
		f.step()
		f.wait() // applied, but the ID is not written to the object yet
		f.restart()
		f.settle()
	},
	"outputs-only": func(f *fixture) {
		f.settle()
		f.plan = &tfjson.Plan{OutputChanges: map[string]*tfjson.Change{"addresses": {Actions: tfjson.Actions{tfjson.ActionUpdate}}}}
		f.advance(10 * time.Minute)
		f.settle()
	},
	"drift-in-place": func(f *fixture) {
		f.settle()
		f.remember()
		f.plan = updated("description")
		f.advance(10 * time.Minute)
		f.settle()
	},
	"drift-repair-fails": func(f *fixture) {
		f.settle()
		f.remember()
		f.plan = updated("description")
		f.fail("apply", terraformError("apply", "Transient"))
		f.advance(10 * time.Minute)
		f.settle()
		f.advance(5 * time.Second)
		f.settle() // in sync after a plan finds no change
	},
	"drift-destructive": func(f *fixture) {
		f.settle()
		f.remember()
		f.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{change(machineAddress, tfjson.ActionDelete, tfjson.ActionCreate)}}
		f.advance(10 * time.Minute)
		f.settle()
		f.restart() // the plan is lost, but according to the status it was waiting
		f.target.Remembered.Unfinished = true
		f.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{change(machineAddress, tfjson.ActionDelete, tfjson.ActionCreate)}}
		f.settle()
	},
	"drift-that-power-cycles": func(f *fixture) {
		f.settle()
		f.remember()
		f.plan = updated("memory_size_mib")
		f.advance(10 * time.Minute)
		f.settle()
		f.advance(10 * time.Minute)
		f.settle() // the drift was reverted outside of Terraform
	},
	"edit-that-power-cycles": func(f *fixture) {
		f.settle()
		f.remember()
		f.plan = updated("memory_size_mib")
		f.render("digest-2")
		f.settle()
		f.step()             // waits
		f.render("digest-1") // starts no run
		f.settle()
	},
	"edit-that-power-cycles-survives-a-restart": func(f *fixture) {
		f.settle()
		f.remember()
		f.plan = updated("memory_size_mib")
		f.render("digest-2")
		f.settle()
		f.restart()
		f.target.Remembered.Unfinished = true
		f.plan = updated("memory_size_mib")
		f.settle()
		f.render("digest-1")
		f.settle()
	},
	"deletion-approves": func(f *fixture) {
		f.settle()
		f.plan = updated("memory_size_mib")
		f.render("digest-2")
		f.settle()
		f.delete()
		f.settle()
	},
	"switched-off": func(f *fixture) {
		f.settle()
		f.observe = observing(Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: "it is switched off"}})
		f.advance(10 * time.Minute)
		f.settle()
		f.step() // the machine is still switched off, so no run starts
		f.target.Observation = &Observation{Found: true}
		f.observe = observing(*f.target.Observation)
		f.settle() // the reconcile has observed that the machine is on
	},
	"switched-off-before-the-apply": func(f *fixture) {
		f.settle()
		f.plan = updated("description")
		f.render("digest-2")
		f.step()
		f.wait()
		f.observe = observing(Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: "it is switched off"}})
		f.settle()
		f.delete()
		f.settle() // a deletion does not wait until the machine is switched on
	},
	"imported-while-switched-off": func(f *fixture) {
		f.identify = func(string) (string, error) { return "vm-7", nil }
		f.observe = observing(Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: "it is switched off"}})
		f.settle()
		f.step() // waits, because a reconcile observes a machine only if its ID is written to the object
		f.advance(20 * time.Second)
		f.observe = observing(Observation{Found: true})
		f.settle()
	},
	"foreign-categories": func(f *fixture) {
		f.settle()
		f.observe = observing(withFile("a"))
		f.plan = updated("description")
		f.render("digest-2")
		f.settle()
	},
	"foreign-categories-change-before-the-apply": func(f *fixture) {
		f.settle()
		f.observe = observing(withFile("a"))
		f.plan = updated("description")
		f.render("digest-2")
		f.step()
		f.wait()
		f.observe = observing(withFile("b"))
		f.step() // starts the apply
		f.plan = updated("description")
		f.wait()
		f.settle()
	},
	"no-update": func(f *fixture) {
		f.settle()
		ambiguous := Observation{Found: true, NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}}
		f.observe = observing(ambiguous)
		f.advance(10 * time.Minute)
		f.settle() // nothing to update
		f.plan = updated("description")
		f.render("digest-2")
		f.settle()
		f.target.Observation = &ambiguous
		f.step() // waits
		f.target.Observation = &Observation{Found: true}
		f.observe = observing(*f.target.Observation)
		f.plan = updated("description")
		f.settle()
	},
	"no-update-since-the-plan": func(f *fixture) {
		f.settle()
		f.plan = updated("description")
		f.render("digest-2")
		f.step()
		f.wait()
		f.observe = observing(Observation{Found: true, NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}})
		f.step() // starts the apply
		f.plan = updated("description")
		f.wait()
		f.settle()
	},
	"observation-fails": func(f *fixture) {
		f.settle()
		f.observe = func(string) (Observation, error) { return Observation{}, errPrism }
		f.advance(10 * time.Minute)
		f.settle()
	},
	"machine-missing-from-the-plan": func(f *fixture) {
		f.addResource(machineAddress, "vm-1", false)
		f.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{change(machineAddress, tfjson.ActionCreate)}}
		f.settle() // Terraform does not find the machine
		f.advance(5 * time.Second)
		f.settle()
	},
	"reading-back-fails": func(f *fixture) {
		f.fail("outputs", terraformError("output", "Transient"))
		f.settle()
		f.advance(5 * time.Second)
		f.settle()
	},
	"a-run-panics": func(f *fixture) {
		f.panics = "plan"
		f.settle()
		f.panics = ""
		f.advance(5 * time.Second)
		f.settle()
	},
	"shutdown-while-applying": func(f *fixture) {
		f.step()
		f.wait()
		f.block("apply")
		f.step()
		require.Equal(f.t, "apply", <-f.entered)
		f.log("the manager is told to stop")
		f.stop()
		require.NoError(f.t, <-f.stopped)
		f.stopped <- nil
		f.log("the manager has stopped")
		f.step() // no run starts and no failure is reported
		f.restart()
		f.settle()
	},
	"no-session": func(f *fixture) {
		f.fail("session", errPrism)
		f.settle()
	},
}

// observing returns a hook Observe that always returns the observation seen.
func observing(seen Observation) func(id string) (Observation, error) {
	return func(string) (Observation, error) { return seen, nil }
}

func withFile(content string) Observation {
	return Observation{Found: true, Files: map[string][]byte{"foreign.tf": []byte(content)}}
}

// destroyScenarios are sequences of steps that end with the deletion of an object.
var destroyScenarios = map[string]func(f *fixture){
	"destroy": func(f *fixture) {
		f.settle()
		f.delete()
		f.settle()
		f.step() // still being destroyed
		f.pipeline.Forget(f.target)
	},
	"destroy-waits-until-ready": func(f *fixture) {
		f.settle()
		f.beforeDestroy = func(string) error {
			return &WaitError{Reason: "VolumeGroupsAttached", Message: "volume group pvc-1 is attached"}
		}
		f.delete()
		f.settle()
		f.step() // waits
		f.advance(5 * time.Second)
		f.settle() // the plan is kept
		f.beforeDestroy = func(string) error { return errPrism }
		f.advance(10 * time.Second)
		f.settle()
		f.beforeDestroy = func(string) error { return nil }
		f.advance(20 * time.Second)
		f.settle()
	},
	"destroy-with-forget": func(f *fixture) {
		f.target.Kind, f.target.Resource, f.target.Hooks = "NutanixCluster", "", Hooks{}
		f.target.Shared = []string{renderer.CategoryKeyAddress}
		f.addResource(renderer.CategoryKeyAddress, "key", false)
		f.addResource(renderer.CategoryValueAddress, "value", false)
		f.delete()
		f.settle()
	},
	"destroy-forgets-existing-resources": func(f *fixture) {
		f.target.Shared = []string{renderer.CategoryKeyAddress}
		f.addResource(machineAddress, "vm-1", false)
		f.delete()
		f.settle()
	},
	"destroy-unknown-machine": func(f *fixture) {
		f.identify = func(string) (string, error) { return "vm-7", nil }
		f.delete()
		f.settle()
	},
	"destroy-nothing": func(f *fixture) {
		f.delete()
		f.settle()
	},
	"destroy-foreign-machine": func(f *fixture) {
		f.addResource(machineAddress, "vm-1", false)
		f.identify = func(known string) (string, error) {
			if known == "" {
				return "", nil
			}
			return "", &ForeignError{ID: known, Message: "it carries the mark of another object"}
		}
		f.delete()
		f.settle()
	},
	"destroy-two-machines": func(f *fixture) {
		f.settle()
		left := []string{"vm-2"}
		f.target.Hooks.Remaining = func() bool { return len(left) > 0 }
		f.identify = func(known string) (string, error) {
			if known != "" || len(left) == 0 {
				return "", nil
			}
			next := left[0]
			left = left[1:]
			return next, nil
		}
		f.delete()
		f.settle()
	},
	"destroy-waits-for-confirmed-absence": func(f *fixture) {
		f.settle()
		f.identify = func(known string) (string, error) {
			return "", &WaitError{Reason: infrav1.VMNotFoundReason, Message: "virtual machine " + known + " is not found and is searched for again"}
		}
		f.delete()
		f.settle()
		f.advance(5 * time.Second)
		f.identify = func(known string) (string, error) { return "", &AbsentError{ID: known} }
		f.settle() // the absence of the machine is confirmed
	},
	"destroy-machine-missing-from-the-plan": func(f *fixture) {
		f.settle()
		f.plan = &tfjson.Plan{}
		f.delete()
		f.settle() // the provider removed the machine from the state after one "not found" response, which is inconclusive
		f.advance(5 * time.Second)
		f.settle() // the machine exists
	},
	"destroy-a-failed-over-machine": func(f *fixture) {
		f.settle()
		f.identify = func(string) (string, error) { return "vm-7", nil }
		f.delete()
		f.settle()
	},
	"destroy-while-prism-fails": func(f *fixture) {
		f.identify = func(string) (string, error) { return "", errPrism }
		f.delete()
		f.settle()
		f.identify = func(string) (string, error) { return "vm-7", nil }
		f.advance(5 * time.Second)
		f.settle()
	},
	"deleted-while-being-created": func(f *fixture) {
		f.step()
		f.wait()
		release := f.block("apply")
		f.step()
		require.Equal(f.t, "apply", <-f.entered)
		f.delete()
		f.render("digest-2")
		f.step() // waits until the create task has ended
		release()
		f.wait()
		f.settle()
	},
	"deleted-before-apply": func(f *fixture) {
		f.step()
		f.wait()
		f.delete()
		f.settle()
	},
}

func TestScenarios(t *testing.T)        { play(t, scenarios) }
func TestDestroyScenarios(t *testing.T) { play(t, destroyScenarios) }

func play(t *testing.T, scenarios map[string]func(f *fixture)) {
	t.Helper()
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			scenario(f)
			f.compare()
		})
	}
}
