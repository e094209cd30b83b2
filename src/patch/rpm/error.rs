//! What can be wrong with the metadata of a repository.

/// A file of a repository that cannot be used, with the place where this shows. Never taken for a repository that offers
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem} (at byte {at}{}); fetch the repository's metadata again", inside(.element))]
pub struct MetadataError {
    /// The file, as the caller called it.
    pub file: String,
    /// Where in its decompressed content, in bytes from the beginning; of a checksum the number of bytes read.
    pub at: u64,
    /// The element that was being read, with those around it: `updates/update/id`; empty outside of all.
    pub element: String,
    /// What is wrong.
    pub problem: Problem,
}

fn inside(element: &str) -> String {
    if element.is_empty() { String::new() } else { format!(", in <{element}>") }
}

/// What is wrong with a file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No bytes, or nothing but white space.
    #[error("it is empty")]
    Empty,
    /// The end came too early.
    #[error("it is truncated")]
    Truncated,
    /// It is not XML, or something that is XML but has no place in such a file.
    #[error("it is not the XML it should be: {0}")]
    Malformed(String),
    /// XML of something else: a page of a proxy, another list.
    #[error("it is <{found}> and not <{expected}>")]
    Root {
        /// The outermost element.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// An element without something it must have.
    #[error("{0} is missing")]
    Missing(String),
    /// A value that cannot be what it should be.
    #[error("{what} cannot be `{value}`: {why}")]
    Value {
        /// Which value.
        what: String,
        /// The beginning of it.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file counts its records and has another number of them.
    #[error("it has {found} packages and not {expected} as it says itself")]
    Count {
        /// Records read.
        found: u64,
        /// As the file says.
        expected: u64,
    },
    /// More than any such file has: nesting, the length of a text, of a tag or of all.
    #[error("{what} is more than the limit of {limit}")]
    Limit {
        /// What is too great.
        what: &'static str,
        /// The limit, in the unit that `what` names.
        limit: u64,
    },
    /// The bytes are not those that repomd.xml tells of.
    #[error("its {what} is {found} and not {expected} as repomd.xml says")]
    Differs {
        /// `size` or the kind of the checksum.
        what: String,
        /// Of the bytes.
        found: String,
        /// As repomd.xml says.
        expected: String,
    },
    /// repomd.xml has no entry of this kind.
    #[error("repomd.xml has no `{0}`, without which nothing is known about the repository")]
    NoData(String),
    /// Compressed in a way that is not undone here.
    #[error("it is compressed with {0}; decompress it first")]
    Compressed(&'static str),
    /// The bytes could not be had.
    #[error("it cannot be read: {0}")]
    Read(String),
}

/// The beginning of a value, for messages.
pub(super) fn short(value: &str) -> String {
    value.chars().take(60).collect()
}
