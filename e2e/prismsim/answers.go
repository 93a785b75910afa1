package prismsim

import (
	"os"
	"time"
)

// AnswersVariable is the name of an environment variable. If its value is "other", Answers exchanges the two rule sets:
// it returns the second set instead of the first, and the first set instead of the second.
const AnswersVariable = "CAPNT_ANSWERS"

// Answers returns a set of answers: one of two rule sets with which the simulator answers questions about the real
// Prism Central that no public record answers. The first set consists of the default of each rule. The second set
// contains the alternative for each rule whose alternative can stay in effect for a whole test. Answers returns the
// second set if second is true. Tests run with both sets, because the real behaviour is unknown. README.md lists the
// rules and the tests that run with each set.
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
