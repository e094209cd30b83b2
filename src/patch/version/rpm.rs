//! The order of RPM versions: `rpmvercmp` of rpm 4.15 and later (patch-baselines.md 9.1 and 9.2).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Epoch, version and release of a package. Equality and order are rpm's: `1.0-1` and `0:1.00-01` are equal.
///
/// A missing release is older than every release, as rpm compares texts; whether a version is the one that somebody
/// named without its release is another question, see [`Evr::is_named_by`].
#[derive(Debug, Clone)]
pub struct Evr {
    /// Epoch; 0 when the package has none, which is the same to rpm.
    pub epoch: u32,
    /// Version, never empty.
    pub version: String,
    /// Release; `None` when the text had none, which no package has, only names of packages.
    pub release: Option<String>,
}

/// A text that is no version of an RPM package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version of an RPM package: {why} (at byte {at})")]
pub struct EvrError {
    /// The text.
    pub text: String,
    /// Where in the text, in bytes from its beginning.
    pub at: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl EvrError {
    pub(super) fn new(text: &str, at: usize, why: &'static str) -> Self {
        Self { text: text.to_owned(), at, why }
    }
}

/// A piece of a version. Versions are compared piece by piece, and the order of these variants is the order of the
/// pieces: a tilde is older even than the end, a caret is newer than the end and older than everything else, letters
/// are older than a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'a> {
    Tilde,
    End,
    Caret,
    /// By their bytes: upper case is older than lower case.
    Letters(&'a [u8]),
    /// How many digits without leading zeros, then the digits: the order of numbers of any length.
    Number(usize, &'a [u8]),
}

/// Takes the next piece off the text. Everything that belongs to no piece separates pieces, and how much of it and
/// what makes no difference.
fn next<'a>(text: &mut &'a [u8]) -> Piece<'a> {
    let start = text.iter().position(|b| b.is_ascii_alphanumeric() || matches!(b, b'~' | b'^'));
    let rest = start.and_then(|start| text.get(start..)).unwrap_or_default();
    let run = |of: fn(&u8) -> bool| rest.split_at(rest.iter().position(|b| !of(b)).unwrap_or(rest.len()));
    let (piece, rest) = match rest {
        [] => (Piece::End, rest),
        [b'~', rest @ ..] => (Piece::Tilde, rest),
        [b'^', rest @ ..] => (Piece::Caret, rest),
        [b'0'..=b'9', ..] => {
            let (digits, rest) = run(u8::is_ascii_digit);
            let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
            let digits = digits.get(zeros..).unwrap_or_default();
            (Piece::Number(digits.len(), digits), rest)
        }
        _ => {
            let (letters, rest) = run(u8::is_ascii_alphabetic);
            (Piece::Letters(letters), rest)
        }
    };
    *text = rest;
    piece
}

/// Compares two versions without release, or two releases, as rpm does.
///
/// Any text can be compared: every byte that is neither an ASCII letter, a digit, `~` nor `^` is a separator. (rpm
/// 4.11 of Amazon Linux 2 and RHEL 7 does not know `^`; no package of these systems has one.)
#[must_use]
pub fn rpmvercmp(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (x, y) = (next(&mut a), next(&mut b));
        if x != y || x == Piece::End {
            return x.cmp(&y);
        }
    }
}

impl Evr {
    /// Compares two texts.
    pub fn compare(a: &str, b: &str) -> Result<Ordering, EvrError> {
        Ok(a.parse::<Self>()?.cmp(&b.parse()?))
    }

    /// From the parts as package databases and repositories have them. The epoch may be empty or `(none)`, rpm's word
    /// for a tag that is not there.
    pub fn from_parts(epoch: &str, version: &str, release: &str) -> Result<Self, EvrError> {
        let epoch_of = if epoch == "(none)" { "" } else { epoch };
        let epoch = number(epoch_of).map_err(|why| EvrError::new(epoch, 0, why))?;
        for (part, separators) in [(version, &[':', '-'][..]), (release, &['-'])] {
            let nothing = if part.is_empty() { Some((0, "it is empty")) } else { unprintable(part) };
            let inside = || Some((part.find(separators)?, "it has a character that separates parts"));
            if let Some((at, why)) = nothing.or_else(inside) {
                return Err(EvrError::new(part, at, why));
            }
        }
        Ok(Self { epoch, version: version.to_owned(), release: Some(release.to_owned()) })
    }

    /// Whether this is the version that `wanted` names. As in rpm's dependencies a name without a release means any
    /// release.
    #[must_use]
    pub fn is_named_by(&self, wanted: &Self) -> bool {
        let same = self.epoch == wanted.epoch && rpmvercmp(&self.version, &wanted.version).is_eq();
        let release = |wanted: &String| self.release.as_ref().is_some_and(|own| rpmvercmp(own, wanted).is_eq());
        same && wanted.release.as_ref().is_none_or(release)
    }
}

/// The number that an epoch is; none is 0.
fn number(text: &str) -> Result<u32, &'static str> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the epoch is not a number");
    }
    // rpm's epochs are 32 bits wide. Leading zeros may make a longer text of a small number.
    let digits = text.trim_start_matches('0');
    if digits.is_empty() { Ok(0) } else { digits.parse().map_err(|_| "the epoch is too great") }
}

/// The first character that no version can have and that would be lost or misread in a list of lines or words.
fn unprintable(text: &str) -> Option<(usize, &'static str)> {
    let at = text.find(|c: char| c.is_whitespace() || c.is_control())?;
    Some((at, "it has a space or a control character"))
}

impl FromStr for Evr {
    type Err = EvrError;

    /// Reads `[epoch:]version[-release]` as rpm does: the epoch is the digits before the first colon (nothing before it
    /// is 0), the release what follows the last hyphen.
    ///
    /// An empty version or release, an epoch of more than 32 bits and spaces are errors: rpm would compare something
    /// else than the text says.
    fn from_str(text: &str) -> Result<Self, EvrError> {
        let fail = |at, why| EvrError::new(text, at, why);
        if let Some((at, why)) = unprintable(text) {
            return Err(fail(at, why));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (epoch, rest) = match text.get(digits..).and_then(|rest| rest.strip_prefix(':')) {
            Some(rest) => (text.get(..digits).unwrap_or_default(), rest),
            None => ("", text),
        };
        let epoch = number(epoch).map_err(|why| fail(0, why))?;
        let start = text.len() - rest.len();
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        if version.is_empty() {
            return Err(fail(start, "the version is empty"));
        }
        if release.is_some_and(str::is_empty) {
            return Err(fail(text.len(), "the release after the last hyphen is empty"));
        }
        Ok(Self { epoch, version: version.to_owned(), release: release.map(str::to_owned) })
    }
}

impl fmt::Display for Evr {
    /// `epoch:version-release`, without an epoch of 0 unless a colon of the version would be taken for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 || self.version.contains(':') {
            write!(f, "{}:", self.epoch)?;
        }
        f.write_str(&self.version)?;
        self.release.as_ref().map_or(Ok(()), |release| write!(f, "-{release}"))
    }
}

impl Ord for Evr {
    fn cmp(&self, other: &Self) -> Ordering {
        let release = || match (&self.release, &other.release) {
            (Some(a), Some(b)) => rpmvercmp(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        self.epoch.cmp(&other.epoch).then_with(|| rpmvercmp(&self.version, &other.version)).then_with(release)
    }
}

impl PartialOrd for Evr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Evr {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Evr {}

#[cfg(test)]
#[path = "rpm_tests.rs"]
mod tests;
