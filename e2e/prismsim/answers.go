package prismsim

import (
	"os"
	"time"
)

// AnswersVariable is the name of an environment variable. If its value is "other", Answers exchanges the two rule sets:
// it returns the second set instead of the first, and the first set instead of the second.
const AnswersVariable = "CAPNT_ANSWERS"

// Answers returns the rules of the simulated Prism Central of a test. Where no public source describes what a real Prism
// Central answers, a rule has a default and an alternative. If second is false, Answers returns the defaults. If second
// is true, it returns the alternatives, except for rules whose alternative cannot stay in effect for a whole test.
// README.md lists the rules and the tests that run with each set.
func Answers(second bool) (Rules, NetworkRules) {
	if second == (os.Getenv(AnswersVariable) == "other") {
		return Rules{}, NetworkRules{}
	}
	rules := Rules{
		KeepCategoryValues: true, DeleteWithVolumeGroup: RefusedByRequest, AttachmentKeepsSpecVersion: true,
		LearnedInSpec: true, AcceptLearned: true, PowerOffWhenOff: RefusedByTask,
		DuplicateTaskEntities: true, UnknownTaskEntities: true, NoVersionInfo: true, ForgetRequestIDs: true,
		InvalidReference: RefusedByRequest, LateTaskEntities: true, ShowGuestCustomization: true,
		ListLag: Duration(2 * time.Second), ListLagKinds: []string{"vm"},
	}
	return rules, NetworkRules{HiddenVIP: true, UniqueNames: true, AnyTarget: true, ReleaseFloatingIP: true, OptionalIfMatch: true}
}
