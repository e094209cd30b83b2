//! What a step needs and only the world beyond the machine has: parameters, metadata, objects, documents.
//!
//! The runner knows no AWS. Whoever starts it hands it an [`Outside`]: one that asks AWS through the SDK, one that asks
//! through the sandbox's socket (a runner inside an instance has neither credentials nor the SDK), or one that answers
//! from a table the user has given. Nothing is ever made up: what is not there is an error that says so.

use std::fmt::Debug;

/// Why something could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{0}")]
pub struct OutsideError(pub String);

/// A value of the Parameter Store, or of Secrets Manager through it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Parameter {
    /// The value; the items of a `StringList` are separated by commas.
    pub value: String,
    /// Whether it is a secret (`SecureString`, Secrets Manager) and must appear in no log.
    pub secret: bool,
}

/// An object of S3.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The account that must own the bucket, if that was asked for.
    pub owner: Option<String>,
}

/// A part of an object's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes from the offset that was asked for; empty at the end.
    pub bytes: Vec<u8>,
    /// Which version of the object they are of; to be given with the next question, which fails if it has changed.
    pub etag: String,
    /// Length of the whole object.
    pub total: u64,
}

/// The world beyond the machine.
pub trait Outside: Debug {
    /// The value of a parameter by name, `/aws/reference/secretsmanager/…` included.
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError>;

    /// A value of the instance metadata service by its path below `meta-data/`.
    fn metadata(&mut self, path: &str) -> Result<String, OutsideError>;

    /// The text of a component document by its `s3://` address or ARN.
    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError>;

    /// The keys below a prefix, at most 1,000 (component-documents.md section 13).
    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError>;

    /// A part of an object, beginning at `offset`; of the version `etag` if that is given.
    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError>;

    /// Writes an object; `next` hands out its content piece by piece, an empty piece at the end.
    fn write(
        &mut self,
        object: &Object,
        next: &mut dyn FnMut() -> std::io::Result<Vec<u8>>,
    ) -> Result<(), OutsideError>;
}

/// Nothing beyond the machine can be reached; every question is an error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Nowhere {
    fn refuse<T>(what: &str) -> Result<T, OutsideError> {
        Err(OutsideError(format!(
            "{what} cannot be had here: this run has no connection to AWS and no table of values"
        )))
    }
}

impl Outside for Nowhere {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        Self::refuse(&format!("the parameter {name}"))
    }

    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        Self::refuse(&format!("the instance metadata {path}"))
    }

    fn document(&mut self, reference: &str, _owner: Option<&str>) -> Result<String, OutsideError> {
        Self::refuse(&format!("the document {reference}"))
    }

    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        Self::refuse(&format!("the objects below s3://{}/{}", prefix.bucket, prefix.key))
    }

    fn read(&mut self, object: &Object, _offset: u64, _etag: Option<&str>) -> Result<Chunk, OutsideError> {
        Self::refuse(&format!("the object s3://{}/{}", object.bucket, object.key))
    }

    fn write(
        &mut self,
        object: &Object,
        _next: &mut dyn FnMut() -> std::io::Result<Vec<u8>>,
    ) -> Result<(), OutsideError> {
        Self::refuse(&format!("the object s3://{}/{}", object.bucket, object.key))
    }
}
