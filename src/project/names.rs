//! Names: which are allowed, and what resources are called.
//!
//! Image Builder's `ResourceName` is 3 to 128 characters; its ARN holds the name in lower case with blanks and underscores
//! turned to hyphens (image-builder.md 2.1). What amiforge makes is in that form from the start, so that names and ARNs read
//! alike and no two names can collide unseen.

use super::Arch;

/// Longest name of a project, recipe or component: two of them, an architecture and hyphens stay below 128.
pub(super) const LONGEST: usize = 50;

/// Why a name cannot be used, as the second half of a sentence; `dots` says whether they are allowed.
pub(crate) fn fault(name: &str, dots: bool) -> Option<&'static str> {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() < 2 || name.len() > LONGEST {
        Some("it has to have 2 to 50 characters")
    } else if !name.chars().all(|c| ends(c) || c == '-' || (dots && c == '.')) {
        Some(if dots {
            "only lower-case letters, digits, hyphens and dots are allowed"
        } else {
            "only lower-case letters, digits and hyphens are allowed"
        })
    } else if !name.starts_with(ends) || !name.ends_with(ends) {
        Some("it has to begin and end with a letter or a digit")
    } else {
        None
    }
}

/// The nearest allowed form of a name, to suggest.
pub(crate) fn nearest(name: &str, dots: bool) -> String {
    let mapped: String = name
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || (dots && c == '.') { c } else { '-' })
        .take(LONGEST)
        .collect();
    mapped.trim_matches(['-', '.']).to_owned()
}

fn join(parts: &[&str]) -> String {
    parts.join("-").to_lowercase().replace(['.', '_', ' '], "-")
}

/// Resource name of a recipe for one architecture: `acme-golden-debian-12-x86-64`.
#[must_use]
pub fn recipe_resource(project: &str, recipe: &str, arch: Arch) -> String {
    join(&[project, recipe, arch.name()])
}

/// Resource name of a plain component, which all recipes share: `acme-golden-boots`.
#[must_use]
pub fn component_resource(project: &str, component: &str) -> String {
    join(&[project, component])
}

/// Resource name of a component rendered from a template: `acme-golden-debian-12-patch-linux`. The recipe is part of it
/// because the text depends on the recipe; under one name two recipes would overtake each other's versions for ever.
#[must_use]
pub fn rendered_component_resource(project: &str, recipe: &str, component: &str) -> String {
    join(&[project, recipe, component])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_resources() {
        assert_eq!(recipe_resource("acme-golden", "debian-12", Arch::X86_64), "acme-golden-debian-12-x86-64");
        assert_eq!(recipe_resource("acme", "ubuntu-24.04", Arch::Arm64), "acme-ubuntu-24-04-arm64");
        assert_eq!(component_resource("acme", "boots"), "acme-boots");
        assert_eq!(rendered_component_resource("acme", "debian-12", "patch-linux"), "acme-debian-12-patch-linux");
    }

    #[test]
    fn names_that_are_refused_get_a_usable_suggestion() {
        for name in ["", "a", "Acme", "acme_golden", "-acme", "acme-", "acme golden", "ä-b", "a.b"] {
            assert!(fault(name, false).is_some(), "{name}");
            let near = nearest(name, false);
            assert!(near.len() < 2 || fault(&near, false).is_none(), "{name} -> {near}");
        }
        assert!(fault("ubuntu-24.04", true).is_none());
        assert!(fault(".ubuntu", true).is_some());
        assert!(fault(&"a".repeat(51), true).is_some());
    }

    proptest::proptest! {
        /// The service's pattern: 3 to 128 characters of letters, digits, hyphen, underscore.
        #[test]
        fn allowed_names_make_resource_names_the_service_accepts(
            project in "[a-z0-9][a-z0-9-]{0,48}[a-z0-9]", recipe in "[a-z0-9][a-z0-9.-]{0,48}[a-z0-9]"
        ) {
            proptest::prop_assert!(fault(&project, false).is_none() && fault(&recipe, true).is_none());
            for name in [recipe_resource(&project, &recipe, Arch::X86_64), rendered_component_resource(&project, &recipe, "boots")] {
                proptest::prop_assert!((3..=128).contains(&name.len()));
                proptest::prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            }
        }
    }
}
