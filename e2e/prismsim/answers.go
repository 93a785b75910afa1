package prismsim

import (
	"os"
	"time"
)

// AnswersVariable is an environment variable. Its value "other" exchanges the two sets of answers that Answers returns.
const AnswersVariable = "CAPNT_ANSWERS"

// Answers returns rules for the Prism Central of a test. Where no public record says what a real Prism Central does, the first set
// has one answer, which is the default of the rule, and the second set has the other one. The README lists the rules and the tests
// that meet each answer.
func Answers(second bool) (Rules, NetworkRules) {
	if second == (os.Getenv(AnswersVariable) == "other") {
		return Rules{}, NetworkRules{}
	}
	rules := Rules{
		KeepCategoryValues: true, DeleteWithVolumeGroup: RefusedByRequest, AttachmentKeepsSpecVersion: true,
		LearnedInSpec: true, AcceptLearned: true, PowerOffWhenOff: RefusedByTask,
		DuplicateTaskEntities: true, UnknownTaskEntities: true, NoVersionInfo: true, ForgetRequestIDs: true,
		ListLag: Duration(2 * time.Second), ListLagKinds: []string{"vm"},
	}
	return rules, NetworkRules{HiddenVIP: true, UniqueNames: true, AnyTarget: true, ReleaseFloatingIP: true, OptionalIfMatch: true}
}
