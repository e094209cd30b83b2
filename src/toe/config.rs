//! The file of `awstoe run --config` (component-documents.md 10.1).

use super::Wanted;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not written as it should be; the reason names line and column.
    #[error("the configuration {} cannot be used: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It asks for something that awstoe does and this program does not.
    #[error("the configuration {} asks for `{key}`, which amiforge does not do: {instead}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// What a configuration says. Keys are awstoe's own; one that it does not have is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the keys of section 10.1")]
pub struct ConfigFile {
    documents: Vec<ConfigDocument>,
    phases: Option<String>,
    #[serde(default)]
    parameters: Vec<Value>,
    pub log_directory: Option<PathBuf>,
    pub state_directory: Option<PathBuf>,
    pub execution_id: Option<String>,
    pub document_s3_bucket_owner: Option<String>,
    #[serde(rename = "logS3BucketName")]
    log_bucket: Option<String>,
    #[serde(rename = "logS3KeyPrefix")]
    log_prefix: Option<String>,
    #[serde(rename = "logS3BucketOwner")]
    log_owner: Option<String>,
    #[serde(rename = "cwLogGroup")]
    log_group: Option<String>,
    #[serde(rename = "cwLogStream")]
    log_stream: Option<String>,
    #[serde(rename = "cwLogRegion")]
    log_region: Option<String>,
    cw_ignore_failures: Option<bool>,
    trace: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigDocument {
    path: String,
    #[serde(default)]
    parameters: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    name: String,
    value: String,
}

fn map(values: &[Value]) -> BTreeMap<String, String> {
    values.iter().map(|value| (value.name.clone(), value.value.clone())).collect()
}

impl ConfigFile {
    /// Reads a configuration.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let config: Self = serde_json::from_str(&text)
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        config.refuse_unsupported(path)?;
        Ok(config)
    }

    /// Logs go to a folder; a log that was wanted elsewhere and is not there would be missed too late.
    fn refuse_unsupported(&self, path: &Path) -> Result<(), ConfigError> {
        let copy = "copy the folder of logUrl afterwards";
        let asked = [
            ("logS3BucketName", self.log_bucket.is_some() || self.log_prefix.is_some() || self.log_owner.is_some()),
            ("cwLogGroup", self.log_group.is_some() || self.log_stream.is_some() || self.log_region.is_some()),
        ];
        match asked.into_iter().find(|(_, asked)| *asked) {
            Some((key, _)) => Err(ConfigError::Unsupported { path: path.to_owned(), key, instead: copy }),
            None => Ok(()),
        }
    }

    /// The documents with their own values.
    pub fn documents(&self) -> Vec<Wanted> {
        let wanted = |document: &ConfigDocument| Wanted {
            reference: document.path.clone(),
            parameters: map(&document.parameters),
        };
        self.documents.iter().map(wanted).collect()
    }

    /// The phases to run; all when empty.
    pub fn phases(&self) -> Vec<String> {
        let phases = self.phases.as_deref().unwrap_or_default().split(',').map(str::trim);
        phases.filter(|phase| !phase.is_empty()).map(str::to_owned).collect()
    }

    /// Values for all documents.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        map(&self.parameters)
    }
}
