//! Release files: what a suite is, until when what it says holds, and the checksums of its indexes (patch-baselines.md 10.3).

use deb822_fast::borrowed::{BorrowedField, iter_paragraphs_borrowed};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// What a `Release` or `InRelease` file says of its suite. Fields that are not there are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Who publishes it.
    pub origin: String,
    /// What they call it.
    pub label: String,
    /// `stable-security`: this is what "archive" means to Patch Manager.
    pub suite: String,
    /// `bookworm-security`.
    pub codename: String,
    /// When it was made.
    pub date: Option<OffsetDateTime>,
    /// Until when it may be used. Without one, an old state of the suite cannot be told from the current one.
    pub valid_until: Option<OffsetDateTime>,
    /// `main`, `contrib`, …
    pub components: Vec<String>,
    /// `amd64`, …
    pub architectures: Vec<String>,
    /// Size in bytes and SHA-256 of the suite's files, by their path below it.
    pub sums: BTreeMap<String, (u64, String)>,
    /// Whether the text is inside of a clear-signed message. That the signature is good, nobody has looked at here.
    pub clear_signed: bool,
}

/// A Release file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} {why}; run `apt-get update` again")]
pub struct ReleaseError {
    /// The file, as the caller called it.
    pub file: String,
    /// What is wrong.
    pub why: ReleaseProblem,
}

/// What is wrong with a Release file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseProblem {
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// A signed message without its end.
    #[error("is cut off: its signature is not complete")]
    Cut,
    /// An `InRelease` without a signature.
    #[error("has no signature inside, as an InRelease file must")]
    Unsigned,
    /// A line is no field.
    #[error("is damaged: `{0}` is not a field")]
    Damaged(String),
    /// A date that cannot be read.
    #[error("has a {field} that is no date: `{value}`")]
    Date {
        /// `Date` or `Valid-Until`.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A line of the checksums that is none.
    #[error("has a line of checksums that is none: `{0}`")]
    Sum(String),
}

impl Release {
    /// Reads the text. `file` is shown in messages, and when its name ends in `InRelease` the text must be signed inside.
    ///
    /// Empty, cut off and unreadable files are errors, and so are dates and checksums that cannot be understood: each of
    /// them would make an old or a foreign state look like the current one.
    pub fn read(file: &str, text: &str) -> Result<Self, ReleaseError> {
        let failed = |why| ReleaseError { file: file.to_owned(), why };
        let signed = cleartext(text).map_err(failed)?;
        if signed.is_none() && file.ends_with("InRelease") && !text.trim().is_empty() {
            return Err(failed(ReleaseProblem::Unsigned));
        }
        let mut stanzas = iter_paragraphs_borrowed(signed.unwrap_or(text));
        let stanza = match stanzas.next() {
            Some(Ok(stanza)) => stanza,
            Some(Err(deb822_fast::Error::UnexpectedToken(line))) => {
                return Err(failed(ReleaseProblem::Damaged(line.chars().take(60).collect())));
            }
            Some(Err(other)) => return Err(failed(ReleaseProblem::Damaged(other.to_string()))),
            None => return Err(failed(ReleaseProblem::Empty)),
        };
        let mut read = Self { clear_signed: signed.is_some(), ..Self::default() };
        for field in stanza.iter() {
            read.take(field).map_err(failed)?;
        }
        Ok(read)
    }

    fn take(&mut self, field: &BorrowedField) -> Result<(), ReleaseProblem> {
        let value = || field.lines().first().map_or("", |line| line.trim_ascii()).to_owned();
        let words = || value().split_whitespace().map(str::to_owned).collect();
        match field.name().to_ascii_lowercase().as_str() {
            "origin" => self.origin = value(),
            "label" => self.label = value(),
            "suite" => self.suite = value(),
            "codename" => self.codename = value(),
            "components" => self.components = words(),
            "architectures" => self.architectures = words(),
            "date" => self.date = Some(date("Date", &value())?),
            "valid-until" => self.valid_until = Some(date("Valid-Until", &value())?),
            "sha256" => {
                for line in field.lines().iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
                    let (path, sum) = sum(line).ok_or_else(|| ReleaseProblem::Sum(line.chars().take(120).collect()))?;
                    self.sums.insert(path, sum);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it may not be used any more at that time.
    #[must_use]
    pub fn expired_at(&self, now: OffsetDateTime) -> bool {
        self.valid_until.is_some_and(|until| now > until)
    }
}

/// `Thu, 26 Nov 2026 11:00:00 UTC`: RFC 2822's form with a name that it does not know.
fn date(field: &'static str, value: &str) -> Result<OffsetDateTime, ReleaseProblem> {
    let plain = ["UTC", "GMT", "Z"].iter().find_map(|zone| value.strip_suffix(zone));
    let text = plain.map_or_else(|| value.to_owned(), |plain| format!("{plain}+0000"));
    OffsetDateTime::parse(&text, &Rfc2822).map_err(|_| ReleaseProblem::Date { field, value: value.to_owned() })
}

/// `checksum size path`.
fn sum(line: &str) -> Option<(String, (u64, String))> {
    let mut words = line.split_whitespace();
    let (sum, size, path) = (words.next()?, words.next()?, words.next()?);
    let right = sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit()) && words.next().is_none();
    Some((path.to_owned(), (size.parse().ok()?, sum.to_ascii_lowercase()))).filter(|_| right)
}

/// What was signed in a clear-signed message: the text after the armour's own headers (`Hash:`), up to the signature,
/// which must be complete. Nothing when the text is no such message.
fn cleartext(text: &str) -> Result<Option<&str>, ReleaseProblem> {
    let Some(message) = text.trim_start().strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----") else { return Ok(None) };
    let (_, body) = message.split_once("\n\n").ok_or(ReleaseProblem::Cut)?;
    let (body, signature) = body.split_once("\n-----BEGIN PGP SIGNATURE-----").ok_or(ReleaseProblem::Cut)?;
    if signature.contains("\n-----END PGP SIGNATURE-----") { Ok(Some(body)) } else { Err(ReleaseProblem::Cut) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const IN_RELEASE: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian-Security\n\
        Suite: oldstable-security\nCodename: bookworm-security\nDate: Thu, 26 Nov 2026 11:00:00 UTC\n\
        Valid-Until: Thu, 3 Dec 2026 11:00:00 +0000\nArchitectures: all amd64\nComponents: updates/main\nSHA256:\n \
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages\n\
        -----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE=\n=abcd\n-----END PGP SIGNATURE-----\n";

    fn problem(file: &str, text: &str) -> ReleaseProblem {
        Release::read(file, text).unwrap_err().why
    }

    #[test]
    fn a_release_file_says_what_it_is_and_until_when() {
        let release = Release::read("x_InRelease", IN_RELEASE).unwrap();
        assert_eq!((release.origin.as_str(), release.label.as_str()), ("Debian", "Debian-Security"));
        assert_eq!((release.suite.as_str(), release.codename.as_str()), ("oldstable-security", "bookworm-security"));
        assert_eq!(release.date, Some(datetime!(2026-11-26 11:00 UTC)));
        assert!(
            !release.expired_at(datetime!(2026-12-03 11:00 UTC))
                && release.expired_at(datetime!(2026-12-03 11:00:01 UTC))
        );
        assert_eq!(release.components, ["updates/main"]);
        assert_eq!(release.sums["main/binary-amd64/Packages"].0, 0);
        assert!(release.clear_signed);
        let plain = Release::read("x_Release", "Suite: s\n").unwrap();
        assert!(!plain.clear_signed && !plain.expired_at(datetime!(2099-01-01 0:00 UTC)));
    }

    #[test]
    fn empty_cut_unsigned_and_damaged_files_are_errors() {
        assert_eq!(problem("Release", ""), ReleaseProblem::Empty);
        assert_eq!(problem("InRelease", "\n"), ReleaseProblem::Empty);
        assert_eq!(problem("x_InRelease", "Suite: s\n"), ReleaseProblem::Unsigned);
        assert!(matches!(problem("Release", "<html>not found</html>\n"), ReleaseProblem::Damaged(_)));
        for at in 1..IN_RELEASE.find("\n-----END PGP").unwrap() {
            Release::read("x_InRelease", &IN_RELEASE[..at]).expect_err(&IN_RELEASE[..at]);
        }
        let damaged =
            |from: &str, to: &str| Release::read("x", &IN_RELEASE.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(damaged("Thu, 26 Nov 2026 11:00:00 UTC", "today").contains("has a Date that is no date: `today`"));
        assert!(damaged("Thu, 3 Dec", "Thu, 33 Dec").contains("has a Valid-Until that is no date"));
        assert!(damaged("e3b0c4", "").contains("has a line of checksums that is none"));
        assert!(damaged(" 0 main", " main").contains("has a line of checksums that is none"));
    }
}
