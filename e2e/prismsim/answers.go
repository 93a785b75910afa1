package prismsim

import (
	"os"
	"time"
)

// AnswersVariable is the name of an environment variable. If its value is "other", Answers exchanges the two rule sets:
// it returns the second set instead of the first, and the first set instead of the second.
const AnswersVariable = "CAPNT_ANSWERS"

// Answers returns a set of answers: simulator rules for the Prism Central of a test. There are two sets. They differ in
// behaviour that is unknown for a real Prism Central, because no public record describes it. The first set contains the
// default of each rule. The second set contains the alternative of each rule, except rules whose alternative cannot
// stay in effect for a whole test. If second is true, Answers returns the second set. README.md lists the rules and the
// tests that run with each set.
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
