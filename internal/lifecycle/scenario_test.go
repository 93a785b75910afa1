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

// scenarios are the lives of living objects. Each is a readable transcript in testdata.
var scenarios = map[string]func(w *world){
	"create": func(w *world) {
		w.settle()
		w.step() // in sync: no process
		w.advance(10 * time.Minute)
		w.settle() // looks for drift, finds none
	},
	"nothing-to-do": func(w *world) {
		w.hold(machineAddress, "vm-1", false)
		w.settle()
	},
	"import": func(w *world) {
		w.identify = func(known string) (string, error) {
			if known == "" {
				return "vm-7", nil
			}
			return "", nil
		}
		w.settle()
	},
	"state-knows-the-wrong-machine": func(w *world) {
		w.hold(machineAddress, "vm-gone", false)
		w.identify = func(string) (string, error) { return "vm-7", nil }
		w.settle()
	},
	"identifying-fails": func(w *world) {
		w.settle()
		w.identify = func(string) (string, error) { return "", errPrism }
		w.advance(10 * time.Minute)
		w.settle()
		w.identify = func(string) (string, error) { return "", nil }
		w.advance(5 * time.Second)
		w.settle()
	},
	"conflict": func(w *world) {
		w.identify = func(string) (string, error) {
			return "", &ConflictError{Message: "a virtual machine named m-1 that is not ours exists"}
		}
		w.settle()
		w.step() // waits
		w.advance(5 * time.Second)
		w.settle() // waits longer
		w.advance(10 * time.Second)
		w.identify = func(string) (string, error) { return "", nil }
		w.settle()
	},
	"tainted-healthy": func(w *world) {
		w.hold(machineAddress, "vm-1", true)
		w.settle()
	},
	"state-that-could-not-be-written": func(w *world) {
		w.fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "failed to save state", ErroredState: []byte("the state")})
		w.fail("push", terraformError("state push", terraform.Transient))
		w.settle()
		w.advance(5 * time.Second)
		w.settle() // the backend is still away
		w.advance(10 * time.Second)
		w.settle() // it is back
	},
	"state-that-was-overtaken": func(w *world) {
		w.fail("apply", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "failed to save state", ErroredState: []byte("the state")})
		w.fail("push", &terraform.Error{Verb: "state push", Class: terraform.Invalid, Message: "cannot import state with serial 3 over newer state with serial 5"})
		w.settle()
		w.identify = func(known string) (string, error) { // it was made, and the newer state does not know
			if known == "" {
				return "vm-1", nil
			}
			return "", nil
		}
		w.advance(5 * time.Second)
		w.settle()
	},
	"tainted-but-shared": func(w *world) {
		w.target.Shared = []string{renderer.CategoryKeyAddress}
		w.hold(machineAddress, "vm-1", false)
		w.hold(renderer.CategoryKeyAddress, "KubernetesClusterName", true)
		w.settle()
	},
	"tainted-unhealthy": func(w *world) {
		w.hold(machineAddress, "vm-1", true)
		w.healthy = func(string) (bool, error) { return false, nil }
		w.settle()
		w.step() // waits for a person
		w.advance(10 * time.Minute)
		w.healthy = func(string) (bool, error) { return true, nil }
		w.settle() // and looks again
	},
	"stale-plan": func(w *world) {
		w.step()
		w.wait()
		w.hold("module.machine.other", "other", false) // somebody writes the state between plan and apply
		w.settle()
	},
	"workspace-changes-before-apply": func(w *world) {
		w.step()
		w.wait()
		w.render("digest-2")
		w.settle()
	},
	"crash-between-apply-and-publish": func(w *world) {
		w.step()
		w.wait()
		w.step()
		w.wait() // applied, and nobody has told the object
		w.restart()
		w.settle()
	},
	"outputs-only": func(w *world) {
		w.settle()
		w.plan = &tfjson.Plan{OutputChanges: map[string]*tfjson.Change{"addresses": {Actions: tfjson.Actions{tfjson.ActionUpdate}}}}
		w.advance(10 * time.Minute)
		w.settle()
	},
	"drift-in-place": func(w *world) {
		w.settle()
		w.remember()
		w.plan = updated("description")
		w.advance(10 * time.Minute)
		w.settle()
	},
	"drift-repair-fails": func(w *world) {
		w.settle()
		w.remember()
		w.plan = updated("description")
		w.fail("apply", terraformError("apply", "Transient"))
		w.advance(10 * time.Minute)
		w.settle()
		w.advance(5 * time.Second)
		w.settle() // not in sync before a plan says so
	},
	"drift-destructive": func(w *world) {
		w.settle()
		w.remember()
		w.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{change(machineAddress, tfjson.ActionDelete, tfjson.ActionCreate)}}
		w.advance(10 * time.Minute)
		w.settle()
		w.restart() // the plan is lost, that it waited is not
		w.target.Remembered.Unfinished = true
		w.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{change(machineAddress, tfjson.ActionDelete, tfjson.ActionCreate)}}
		w.settle()
	},
	"drift-that-power-cycles": func(w *world) {
		w.settle()
		w.remember()
		w.plan = updated("memory_size_mib")
		w.advance(10 * time.Minute)
		w.settle()
		w.advance(10 * time.Minute)
		w.settle() // somebody reverted it
	},
	"edit-that-power-cycles": func(w *world) {
		w.settle()
		w.remember()
		w.plan = updated("memory_size_mib")
		w.render("digest-2")
		w.settle()
		w.step()             // waits
		w.render("digest-1") // costs no run
		w.settle()
	},
	"edit-that-power-cycles-survives-a-restart": func(w *world) {
		w.settle()
		w.remember()
		w.plan = updated("memory_size_mib")
		w.render("digest-2")
		w.settle()
		w.restart()
		w.target.Remembered.Unfinished = true
		w.plan = updated("memory_size_mib")
		w.settle()
		w.render("digest-1")
		w.settle()
	},
	"deletion-approves": func(w *world) {
		w.settle()
		w.plan = updated("memory_size_mib")
		w.render("digest-2")
		w.settle()
		w.delete()
		w.settle()
	},
	"switched-off": func(w *world) {
		w.settle()
		w.observe = observing(Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: "it is switched off"}})
		w.advance(10 * time.Minute)
		w.settle()
		w.step() // stays so, without a run
		w.target.Observation = &Observation{Found: true}
		w.observe = observing(*w.target.Observation)
		w.settle() // the reconcile has seen that it is on
	},
	"switched-off-before-the-apply": func(w *world) {
		w.settle()
		w.plan = updated("description")
		w.render("digest-2")
		w.step()
		w.wait()
		w.observe = observing(Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: "it is switched off"}})
		w.settle()
		w.delete()
		w.settle() // a deletion does not wait for it
	},
	"imported-while-switched-off": func(w *world) {
		w.identify = func(string) (string, error) { return "vm-7", nil }
		w.observe = observing(Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: "it is switched off"}})
		w.settle()
		w.step() // waits: no reconcile observes a machine that was not published
		w.advance(20 * time.Second)
		w.observe = observing(Observation{Found: true})
		w.settle()
	},
	"foreign-categories": func(w *world) {
		w.settle()
		w.observe = observing(withFile("a"))
		w.plan = updated("description")
		w.render("digest-2")
		w.settle()
	},
	"foreign-categories-change-before-the-apply": func(w *world) {
		w.settle()
		w.observe = observing(withFile("a"))
		w.plan = updated("description")
		w.render("digest-2")
		w.step()
		w.wait()
		w.observe = observing(withFile("b"))
		w.step() // starts the apply
		w.plan = updated("description")
		w.wait()
		w.settle()
	},
	"no-update": func(w *world) {
		w.settle()
		ambiguous := Observation{Found: true, NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}}
		w.observe = observing(ambiguous)
		w.advance(10 * time.Minute)
		w.settle() // nothing to update
		w.plan = updated("description")
		w.render("digest-2")
		w.settle()
		w.target.Observation = &ambiguous
		w.step() // waits
		w.target.Observation = &Observation{Found: true}
		w.observe = observing(*w.target.Observation)
		w.plan = updated("description")
		w.settle()
	},
	"no-update-since-the-plan": func(w *world) {
		w.settle()
		w.plan = updated("description")
		w.render("digest-2")
		w.step()
		w.wait()
		w.observe = observing(Observation{Found: true, NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}})
		w.step() // starts the apply
		w.plan = updated("description")
		w.wait()
		w.settle()
	},
	"observing-fails": func(w *world) {
		w.settle()
		w.observe = func(string) (Observation, error) { return Observation{}, errPrism }
		w.advance(10 * time.Minute)
		w.settle()
	},
	"disappears-while-it-is-planned": func(w *world) {
		w.hold(machineAddress, "vm-1", false)
		w.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{change(machineAddress, tfjson.ActionCreate)}}
		w.settle() // Terraform did not find it for a moment
		w.advance(5 * time.Second)
		w.settle()
	},
	"reading-back-fails": func(w *world) {
		w.fail("outputs", terraformError("output", "Transient"))
		w.settle()
		w.advance(5 * time.Second)
		w.settle()
	},
	"a-run-panics": func(w *world) {
		w.panics = "plan"
		w.settle()
		w.panics = ""
		w.advance(5 * time.Second)
		w.settle()
	},
	"shutdown-while-applying": func(w *world) {
		w.step()
		w.wait()
		w.block("apply")
		w.step()
		require.Equal(w.t, "apply", <-w.entered)
		w.log("the manager is told to stop")
		w.stop()
		require.NoError(w.t, <-w.stopped)
		w.stopped <- nil
		w.log("the manager has stopped")
		w.step() // nothing is started any more, and nothing is called a failure
		w.restart()
		w.settle()
	},
	"no-session": func(w *world) {
		w.fail("session", errPrism)
		w.settle()
	},
	"adopting-fails": func(w *world) {
		w.fail("adopt", errPrism)
		w.settle()
		w.advance(5 * time.Second)
		w.settle() // only the owner was missing
	},
}

// observing answers the hook Observe.
func observing(seen Observation) func(id string) (Observation, error) {
	return func(string) (Observation, error) { return seen, nil }
}

func withFile(content string) Observation {
	return Observation{Found: true, Files: map[string][]byte{"foreign.tf": []byte(content)}}
}

// destructions are the ends of objects.
var destructions = map[string]func(w *world){
	"destroy": func(w *world) {
		w.settle()
		w.delete()
		w.settle()
		w.step() // stays gone
		w.pipeline.Forget(w.target)
	},
	"destroy-what-is-not-ready": func(w *world) {
		w.settle()
		w.beforeDestroy = func(string) error {
			return &WaitError{Reason: "VolumeGroupsAttached", Message: "volume group pvc-1 is attached"}
		}
		w.delete()
		w.settle()
		w.step() // waits
		w.advance(5 * time.Second)
		w.settle() // the plan is kept
		w.beforeDestroy = func(string) error { return errPrism }
		w.advance(10 * time.Second)
		w.settle()
		w.beforeDestroy = func(string) error { return nil }
		w.advance(20 * time.Second)
		w.settle()
	},
	"destroy-with-forget": func(w *world) {
		w.target.Kind, w.target.Resource, w.target.Hooks = "NutanixCluster", "", Hooks{}
		w.target.Shared = []string{renderer.CategoryKeyAddress}
		w.hold(renderer.CategoryKeyAddress, "key", false)
		w.hold(renderer.CategoryValueAddress, "value", false)
		w.delete()
		w.settle()
	},
	"destroy-forgets-only-what-is-there": func(w *world) {
		w.target.Shared = []string{renderer.CategoryKeyAddress}
		w.hold(machineAddress, "vm-1", false)
		w.delete()
		w.settle()
	},
	"destroy-unknown-machine": func(w *world) {
		w.identify = func(string) (string, error) { return "vm-7", nil }
		w.delete()
		w.settle()
	},
	"destroy-nothing": func(w *world) {
		w.delete()
		w.settle()
	},
	"destroy-what-belongs-to-another-object": func(w *world) {
		w.hold(machineAddress, "vm-1", false)
		w.identify = func(known string) (string, error) {
			if known == "" {
				return "", nil
			}
			return "", &ForeignError{ID: known, Message: "it carries the mark of another object"}
		}
		w.delete()
		w.settle()
	},
	"destroy-two-of-ours": func(w *world) {
		w.settle()
		left := []string{"vm-2"}
		w.target.Hooks.Remaining = func() bool { return len(left) > 0 }
		w.identify = func(known string) (string, error) {
			if known != "" || len(left) == 0 {
				return "", nil
			}
			next := left[0]
			left = left[1:]
			return next, nil
		}
		w.delete()
		w.settle()
	},
	"destroy-what-is-not-found": func(w *world) {
		w.settle()
		w.identify = func(known string) (string, error) {
			return "", &WaitError{Reason: infrav1.VMNotFoundReason, Message: "virtual machine " + known + " is not found and searched again"}
		}
		w.delete()
		w.settle()
		w.advance(5 * time.Second)
		w.identify = func(known string) (string, error) { return "", &AbsentError{ID: known} }
		w.settle() // its absence is certain
	},
	"destroy-what-disappears-while-it-is-planned": func(w *world) {
		w.settle()
		w.plan = &tfjson.Plan{}
		w.delete()
		w.settle() // the provider removed it from the state on one response, which proves nothing
		w.advance(5 * time.Second)
		w.settle() // it is there
	},
	"destroy-a-failed-over-machine": func(w *world) {
		w.settle()
		w.identify = func(string) (string, error) { return "vm-7", nil }
		w.delete()
		w.settle()
	},
	"destroy-while-prism-fails": func(w *world) {
		w.identify = func(string) (string, error) { return "", errPrism }
		w.delete()
		w.settle()
		w.identify = func(string) (string, error) { return "vm-7", nil }
		w.advance(5 * time.Second)
		w.settle()
	},
	"deleted-while-being-created": func(w *world) {
		w.step()
		w.wait()
		release := w.block("apply")
		w.step()
		require.Equal(w.t, "apply", <-w.entered)
		w.delete()
		w.render("digest-doomed")
		w.step() // waits for the creation
		release()
		w.wait()
		w.settle()
	},
	"deleted-before-apply": func(w *world) {
		w.step()
		w.wait()
		w.delete()
		w.settle()
	},
}

func TestScenarios(t *testing.T)    { play(t, scenarios) }
func TestDestructions(t *testing.T) { play(t, destructions) }

func play(t *testing.T, scenarios map[string]func(w *world)) {
	t.Helper()
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			scenario(w)
			w.compare()
		})
	}
}
