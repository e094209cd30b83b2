//! "Did you mean …?"

/// The candidate that `word` was most likely meant to be, if one is near enough to be worth saying.
///
/// Letter case is not counted as a difference. A word may be off by one edit for every three characters (a transposition
/// is one edit), so that short words are not turned into unrelated ones. Among equally near candidates the first wins.
pub fn suggest<'a, C>(word: &str, candidates: impl IntoIterator<Item = &'a C>) -> Option<&'a str>
where
    C: AsRef<str> + ?Sized + 'a,
{
    let wanted = word.to_lowercase();
    let allowed = wanted.chars().count().div_ceil(3).min(4);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let candidate = candidate.as_ref();
        let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
        if distance <= allowed && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let actions = ["ExecuteBash", "ExecuteBinary", "Reboot", "UpdateOS"];
        assert_eq!(suggest("ExecuteBahs", actions), Some("ExecuteBash"));
        assert_eq!(suggest("updateos", actions), Some("UpdateOS"));
        assert_eq!(suggest("Frobnicate", actions), None);
        assert_eq!(suggest("", actions), None);
    }

    #[test]
    fn any_list_of_text_will_do() {
        let owned = vec!["name".to_owned(), "steps".to_owned()];
        assert_eq!(suggest("stpes", &owned), Some("steps"));
        assert_eq!(suggest("nam", &["name", "steps"]), Some("name"));
        assert_eq!(suggest("x", ["name"]), None);
    }
}
