//! What was real in a run and what was not, so that a test never claims more than it saw. The sandbox tells it.

use crate::sandbox::facts::NAMES as KNOWN;

pub use crate::sandbox::Fact;

/// The names that `--require` and gates know.
pub const NAMES: [&str; KNOWN.len()] = KNOWN;

/// Those of the required facts that are not real, or not known at all: what is not known has not been seen.
#[must_use]
pub fn unmet(facts: &[Fact], required: &[String]) -> Vec<Fact> {
    let lacking = |name: &String| match facts.iter().find(|fact| fact.name == name) {
        Some(fact) if fact.real => None,
        Some(fact) => Some(fact.clone()),
        None => {
            let name = NAMES.into_iter().find(|known| known == name).unwrap_or("unknown");
            Some(Fact { name, real: false, why: "nothing was run, so nothing was seen of it".to_owned() })
        }
    };
    required.iter().filter_map(lacking).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_is_not_there() {
        let fact = |name, real| Fact { name, real, why: "so it is".to_owned() };
        let required = ["kernel".to_owned(), "init".to_owned()];
        let names = |facts: &[Fact]| unmet(facts, &required).iter().map(|fact| fact.name).collect::<Vec<_>>();
        assert_eq!(names(&[fact("kernel", false), fact("init", true), fact("clock", false)]), ["kernel"]);
        assert_eq!(names(&[]), ["kernel", "init"]);
        assert!(unmet(&[], &[]).is_empty());
    }
}
