//! Which sources an apt configuration declares trusted, whatever their signature.

use std::fmt::Write as _;

/// The prefixes of list file names whose sources are declared trusted in one file of apt's configuration
/// (`sources.list`, `sources.list.d/*.list` and `*.sources`; `name` tells the two formats apart).
#[must_use]
pub fn trusted_prefixes(name: &str, text: &str) -> Vec<String> {
    let mut prefixes = if name.ends_with(".sources") { deb822(text) } else { one_line(text) };
    prefixes.sort();
    prefixes.dedup();
    prefixes
}

fn is_yes(value: &str) -> bool {
    // The words of apt's StringToBool.
    ["yes", "true", "with", "on", "enable", "1"].iter().any(|word| word.eq_ignore_ascii_case(value.trim()))
}

/// `deb [trusted=yes arch=amd64] URI SUITE COMPONENT…`
fn one_line(text: &str) -> Vec<String> {
    let read = |line: &str| {
        let line = line.split('#').next()?.trim().strip_prefix("deb")?.trim_start();
        let (options, rest) = line.strip_prefix('[')?.split_once(']')?;
        let trusted = options.split_whitespace().any(|o| o.strip_prefix("trusted=").is_some_and(is_yes));
        let mut words = rest.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        trusted.then(|| prefix(uri, suite))
    };
    text.lines().filter_map(read).collect()
}

/// Stanzas of `URIs:`, `Suites:` and `Trusted: yes`, each with values on continuation lines too.
fn deb822(text: &str) -> Vec<String> {
    let mut prefixes = vec![];
    let Ok(stanzas) = text.parse::<deb822_fast::Deb822>() else { return prefixes };
    for stanza in stanzas.iter() {
        let get =
            |name: &str| stanza.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value);
        if is_yes(get("Trusted")) {
            for uri in get("URIs").split_whitespace() {
                prefixes.extend(get("Suites").split_whitespace().map(|suite| prefix(uri, suite)));
            }
        }
    }
    prefixes
}

/// The beginning of the list file names of a suite: the URI without scheme and credentials, quoted as apt does it.
fn prefix(uri: &str, suite: &str) -> String {
    let rest = uri.split_once(':').map_or(uri, |(_scheme, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = rest.split_once('@').filter(|(user, _)| !user.contains('/')).map_or(rest, |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    // A suite that ends in a slash is a path: a repository without `dists`.
    let path = if suite.ends_with('/') {
        let folder = suite.trim_matches('/');
        if folder.is_empty() { format!("{rest}/") } else { format!("{rest}/{folder}/") }
    } else {
        format!("{rest}/dists/{suite}/")
    };
    let mut quoted = String::new();
    for c in path.chars() {
        match c {
            '/' => quoted.push('_'),
            // apt's list of characters that are quoted in file names.
            '\\' | '|' | '{' | '}' | '[' | ']' | '<' | '>' | '"' | '^' | '~' | '_' | '=' | '!' | '@' | '#' | '$'
            | '%' | '&' | '*' => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "%{:02x}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_sources_are_trusted_by_their_option() {
        let text = "# deb [trusted=yes] file:/no x main\ndeb [arch=amd64 trusted=yes] file:/srv/my_repo bookworm-security main\n\
            deb http://mirror.example/debian bookworm main\ndeb [trusted=no] http://a b c\n\
            deb [trusted=yes] http://user:pw@host:81/x/ ./\ndeb [signed-by=/k] https://h/d s main\n";
        assert_eq!(trusted_prefixes("sources.list", text), ["_srv_my%5frepo_dists_bookworm-security_", "host:81_x_._"]);
    }

    #[test]
    fn deb822_sources_are_trusted_by_their_field() {
        let text = "Types: deb\nURIs: file:///srv/repo\nSuites: bookworm\n bookworm-security\nComponents: main\nTrusted: Yes\n\n\
            Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n";
        assert_eq!(
            trusted_prefixes("local.sources", text),
            ["_srv_repo_dists_bookworm-security_", "_srv_repo_dists_bookworm_"]
        );
    }
}
