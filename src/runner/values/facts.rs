//! What `context:` tells (reference/component-documents.md 6.5).

use crate::runner::hex::hex;
use crate::runner::model::Context;
use std::fs;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a fact is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Only who started the execution can know it.
    #[error("`context:{0}` has no value: who started this execution did not say; it is known on AWS")]
    NotGiven(&'static str),
    /// The machine does not tell.
    #[error("`context:{key}` has no value: {reason}")]
    Unknown {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
}

/// Where facts come from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Id of the execution; a nested one has its own.
    pub execution_id: &'a str,
    /// What was given.
    pub context: &'a Context,
    /// Where the machine's own files are found.
    pub root: &'a Path,
    /// The phase.
    pub phase: &'a str,
    /// The step.
    pub step: &'a str,
}

impl Facts<'_> {
    /// The value of a key.
    pub fn tell(&self, key: &str) -> Result<String, FactsError> {
        let unknown = |reason: String| FactsError::Unknown { key: key.to_owned(), reason };
        let given = |value: &Option<String>, key| value.clone().ok_or(FactsError::NotGiven(key));
        match key {
            "executionId" => Ok(self.execution_id.to_owned()),
            "accountId" => given(&self.context.account_id, "accountId"),
            "region" => given(&self.context.region, "region"),
            "osPlatform" => Ok("linux".to_owned()),
            // Which fields of os-release awstoe shows is UNCONFIRMED.
            "osName" => self.os_release("NAME").map_err(unknown),
            "osVersion" => self.os_release("VERSION_ID").map_err(unknown),
            "date" => Ok(self.now().date().to_string()),
            "dateTime" => self.now().format(&Rfc3339).map_err(|error| unknown(error.to_string())),
            "uuid" => uuid().map_err(|error| unknown(format!("the system gives no random numbers: {error}"))),
            "hostname" => {
                let name = nix::unistd::gethostname().map_err(|errno| unknown(errno.to_string()))?;
                name.into_string().map_err(|_| unknown("the host name is not UTF-8".to_owned()))
            }
            "phase" => Ok(self.phase.to_owned()),
            "step" => Ok(self.step.to_owned()),
            _ => Err(unknown("there is no such key".to_owned())),
        }
    }

    /// UTC, in whole seconds.
    fn now(&self) -> OffsetDateTime {
        let now = self.context.now.unwrap_or_else(OffsetDateTime::now_utc).to_offset(time::UtcOffset::UTC);
        now.replace_nanosecond(0).unwrap_or(now)
    }

    fn os_release(&self, field: &str) -> Result<String, String> {
        let text = ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|file| fs::read_to_string(self.root.join(file)).ok());
        let text = text.ok_or("the machine has no readable /etc/os-release")?;
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix('='));
        let value = value.ok_or_else(|| format!("/etc/os-release has no {field}"))?.trim();
        let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        Ok(quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned())
    }
}

/// A random UUID (version 4 of RFC 9562); every expression gets its own (UNCONFIRMED).
fn uuid() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let parts = [&bytes[0..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..16]];
    Ok(parts.map(hex).join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_value_or_a_reason() {
        let root = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::parse("2026-11-26T23:30:00.5-02:00", &Rfc3339).unwrap();
        let context = Context { account_id: Some("111122223333".into()), region: None, now: Some(now) };
        let facts = Facts { execution_id: "id", context: &context, root: root.path(), phase: "build", step: "One" };
        let tell = |key: &str| facts.tell(key).unwrap_or_else(|error| error.to_string());
        for (key, expected) in [
            ("executionId", "id"),
            ("accountId", "111122223333"),
            ("region", "`context:region` has no value: who started this execution did not say; it is known on AWS"),
            ("osPlatform", "linux"),
            ("osName", "`context:osName` has no value: the machine has no readable /etc/os-release"),
            ("date", "2026-11-27"),
            ("dateTime", "2026-11-27T01:30:00Z"),
            ("phase", "build"),
            ("step", "One"),
        ] {
            assert_eq!(tell(key), expected, "{key}");
        }
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/os-release"), "NAME=\"Amazon Linux\"\nVERSION_ID='2023'\n").unwrap();
        assert_eq!((tell("osName").as_str(), tell("osVersion").as_str()), ("Amazon Linux", "2023"));
        for key in crate::component::expression::CONTEXT_KEYS {
            assert!(!tell(key).contains("no such key"), "{key}");
        }
        let (one, two) = (tell("uuid"), tell("uuid"));
        assert!(one != two && one.len() == 36 && one.as_bytes()[14] == b'4', "{one}");
        assert!(!tell("hostname").is_empty());
    }
}
