//! Regular expressions.

use super::tests;
use crate::component::condition::Operands;
use crate::component::re2;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::yaml::Offsets;

/// C006
pub(super) fn invalid(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for test in tests(subject).filter(|test| test.operator.operands == Operands::Pattern) {
        // With an expression in it only the run itself can tell.
        let Some(fault) = test.operand.fixed().and_then(|pattern| re2::check(pattern).err()) else { continue };
        let span = Offsets::new(&found.source().text, &test.operand.node).span(&fault.range);
        found.add(
            found
                .at(span, format!("the pattern is refused: {}", fault.reason), "this part")
                .note("patterns are regular expressions of RE2, as Go's package regexp reads them")
                .help(fault.reason.remedy()),
        );
    }
}
