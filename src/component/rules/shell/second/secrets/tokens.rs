//! Tokens that nothing else looks like, wherever they stand.

use super::shapes::{Meaning, Secret, is_secret};
use regex_lite::Regex;
use std::sync::LazyLock;

/// What such a token looks like.
struct Shape {
    /// Texts of which one stands in every such token: without any of them the expression need not be asked, which is what
    /// makes the linter several times as fast.
    signs: &'static [&'static str],
    /// The first group is the secret.
    regex: Regex,
    what: &'static str,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let shapes: [(&'static [&'static str], &str, &'static str); 18] = [
        (&["AKIA", "ASIA"], r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b", "an access key id of AWS"),
        (
            &["PRIVATE KEY"],
            r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)[^-]{0,300}?[A-Za-z0-9+/]{30,}",
            "a private key",
        ),
        (&["gho_", "ghp_", "ghu_", "ghs_", "ghr_"], r"\b(gh[opusr]_[A-Za-z0-9]{36,})", "a token of GitHub"),
        (&["github_pat_"], r"\b(github_pat_[A-Za-z0-9_]{50,})", "a token of GitHub"),
        (&["glpat-"], r"\b(glpat-[A-Za-z0-9_-]{20,})", "a token of GitLab"),
        (&["xox"], r"\b(xox[abeoprs]-[A-Za-z0-9-]{20,})", "a token of Slack"),
        (
            &["hooks.slack.com"],
            r"hooks\.slack\.com/(services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,})",
            "a webhook of Slack",
        ),
        (&["k_live_"], r"\b([rs]k_live_[A-Za-z0-9]{20,})", "a key of Stripe"),
        (&["AIza"], r"\b(AIza[A-Za-z0-9_-]{35})", "an API key of Google"),
        (&["npm_"], r"\b(npm_[A-Za-z0-9]{36})\b", "a token of npm"),
        (&["pypi-AgEI"], r"\b(pypi-AgEI[A-Za-z0-9_-]{40,})", "a token of PyPI"),
        (&["hvs.", "hvb."], r"\b(hv[sb]\.[A-Za-z0-9_-]{24,})", "a token of Vault"),
        (&["dckr_pat_"], r"\b(dckr_pat_[A-Za-z0-9_-]{20,})", "a token of Docker"),
        (&["dop_v1_"], r"\b(dop_v1_[a-f0-9]{64})\b", "a token of DigitalOcean"),
        (&["sk-ant-"], r"\b(sk-ant-[A-Za-z0-9_-]{30,})", "an API key of Anthropic"),
        (&["eyJ"], r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,})", "a signed token"),
        // In any letter case, but nobody writes its colon differently.
        (
            &[":"],
            r"(?i)authorization:\s*(?:bearer|basic|token)\s+([A-Za-z0-9+/._~-]{16,}=*)",
            "the value of `Authorization`",
        ),
        (&["://"], r"[a-z][a-z0-9+]*://[^\s/:@]+:([^\s/:@]{4,})@", "the password in an address"),
    ];
    let shape = |(signs, regex, what)| Some(Shape { signs, regex: Regex::new(regex).ok()?, what });
    shapes.into_iter().filter_map(shape).collect()
});

impl Shape {
    /// Whether such a token can be in a text at all.
    fn may_be_in(&self, text: &str) -> bool {
        match self.signs {
            [":"] => text.to_ascii_lowercase().contains("authorization:"),
            ["://"] => text.contains("://") && text.contains('@'),
            signs => signs.iter().any(|sign| text.contains(sign)),
        }
    }
}

/// The tokens in a text.
pub fn shaped(text: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    for Shape { regex, what, .. } in SHAPES.iter().filter(|shape| shape.may_be_in(text)) {
        for matched in regex.captures_iter(text) {
            let Some(secret) = matched.get(1) else { continue };
            let value = secret.as_str();
            let sample = value.ends_with("EXAMPLE");
            let address = what.ends_with("address") && !is_secret(value, Meaning::Password);
            if !(sample || address) {
                found.push(Secret { range: secret.range(), what: (*what).to_owned() });
            }
        }
    }
    found
}
