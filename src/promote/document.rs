//! Documents that may be longer than a parameter.
//!
//! A standard parameter holds 4 KB. A document that fits stands in its parameter as it is. A longer one is compressed, and
//! what still does not fit is put into parts: `NAME/ID/1`, `NAME/ID/2` and so on, where the id is that of the promotion, so that
//! parts of different writers never mix. The parts are written first and the parameter itself last, in one call: a document
//! is there as a whole or not at all. Reading checks length and digest, so one that was tampered with is an error.

use super::error::PromoteError;
use super::store;
use crate::aws::{CallError, Cloud};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

/// Schema of [`Head`].
const SCHEMA: &str = "amiforge.packed/1";
/// Characters that a parameter may have: 4096 for a standard one. Tests have less room, so that a few targets need parts.
pub(super) const ROOM: usize = if cfg!(test) { 700 } else { 4096 };
/// What the head needs beside the text.
const FRAME: usize = 300;
/// Longest document that is read: far more than the targets of any organization need.
const LONGEST: u64 = 16 << 20;

/// A document as its parameters hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// What stands in the parameter itself.
    pub(super) head: String,
    /// What stands in the others.
    pub(super) parts: Vec<String>,
}

/// The parameter itself, of a document that did not fit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: String,
    /// What the parts are found by.
    id: String,
    parts: usize,
    /// Bytes of the document, and their SHA-256.
    bytes: u64,
    sha256: String,
    /// Beginning of the Base64 form of the compressed document.
    text: String,
}

/// Packs a document. Pure: the same document always makes the same parameters.
pub(super) fn pack(id: &str, text: &str) -> Packed {
    if text.len() <= ROOM {
        return Packed { head: text.to_owned(), parts: vec![] };
    }
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing into memory does not fail; what would be lost, the digest tells.
    let _ = packer.write_all(text.as_bytes());
    let packed = STANDARD.encode(packer.finish().unwrap_or_default());
    let (first, rest) = packed.split_at(packed.len().min(ROOM - FRAME));
    let parts: Vec<String> =
        rest.as_bytes().chunks(ROOM).map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect();
    let head = Head {
        schema: SCHEMA.to_owned(),
        id: id.to_owned(),
        parts: parts.len(),
        bytes: text.len() as u64,
        sha256: sha256(text),
        text: first.to_owned(),
    };
    Packed { head: serde_json::to_string(&head).unwrap_or_default(), parts }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unpack(head: &Head, parts: &[String]) -> Result<String, String> {
    let packed = head.text.clone() + &parts.concat();
    let bytes = STANDARD.decode(packed).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = DeflateDecoder::new(bytes.as_slice()).take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 != head.bytes || sha256(&text) != head.sha256 {
        return Err("it is not whole: its digest differs".to_owned());
    }
    Ok(text)
}

/// The head of a document that has parts or is compressed; nothing for one that is as it is.
fn head(name: &str, text: &str) -> Result<Option<Head>, PromoteError> {
    let unreadable = |reason: String| PromoteError::Unreadable { parameter: name.to_owned(), reason };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if value.get("schema").and_then(serde_json::Value::as_str) != Some(SCHEMA) {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(|error| unreadable(error.to_string()))
}

/// What the parts of the document are found by whose parameter holds `text`.
pub(super) fn id(name: &str, text: &str) -> Option<String> {
    head(name, text).ok().flatten().map(|head| head.id)
}

fn part_names(name: &str, id: &str, parts: usize) -> Vec<String> {
    (1..=parts).map(|part| format!("{name}/{id}/{part}")).collect()
}

/// The whole document whose parameter holds `text`.
///
/// # Errors
/// When a part is missing or it is not what was written: never half a document.
pub(crate) async fn whole(cloud: &Cloud, name: &str, text: &str) -> Result<String, PromoteError> {
    let Some(head) = head(name, text)? else { return Ok(text.to_owned()) };
    let found = store::get_many(cloud, cloud.home(), &part_names(name, &head.id, head.parts)).await?;
    joined(name, &head, &found)
}

/// The document of a head and the parameters that were found beside it.
fn joined(name: &str, head: &Head, found: &BTreeMap<String, String>) -> Result<String, PromoteError> {
    let unreadable = |reason: String| PromoteError::Unreadable { parameter: name.to_owned(), reason };
    let names = part_names(name, &head.id, head.parts);
    let parts: Option<Vec<String>> = names.iter().map(|name| found.get(name).cloned()).collect();
    let parts = parts.ok_or_else(|| unreadable(format!("{} parameters below it are missing", head.parts)))?;
    unpack(head, &parts).map_err(unreadable)
}

/// The whole document among parameters that were read in another way.
#[cfg(test)]
pub(super) fn whole_among(name: &str, all: &BTreeMap<String, String>) -> Result<String, PromoteError> {
    let text = &all[name];
    let Some(head) = head(name, text)? else { return Ok(text.clone()) };
    joined(name, &head, all)
}

/// Writes the parts of a document, which nobody reads yet.
pub(super) async fn write_parts(cloud: &Cloud, name: &str, id: &str, packed: &Packed) -> Result<(), CallError> {
    for (name, part) in part_names(name, id, packed.parts.len()).iter().zip(&packed.parts) {
        store::put_document(cloud, name, part).await?;
    }
    Ok(())
}

/// What the parts of a journal are found by: it is written twice, and the parts of the first writing must be there until
/// the parameter names those of the second.
pub(super) fn journal_ids(promotion: &str) -> [String; 2] {
    [promotion.to_owned(), format!("{promotion}b")]
}

/// Removes the parts of both writings of a journal.
pub(super) async fn remove_journal_parts(
    cloud: &Cloud,
    name: &str,
    promotion: &str,
    parts: usize,
) -> Result<(), CallError> {
    for id in journal_ids(promotion) {
        remove_parts(cloud, name, &id, parts).await?;
    }
    Ok(())
}

/// Removes the parts of a document of which nobody knows how many there are. They are written from the first to the last and
/// removed from the last to the first, so there are none behind one that is missing.
pub(super) async fn remove_all_parts(cloud: &Cloud, name: &str, id: &str) -> Result<(), CallError> {
    let mut there: Vec<String> = Vec::new();
    loop {
        let names: Vec<String> = part_names(name, id, there.len() + store::AT_ONCE).split_off(there.len());
        let found = store::get_many(cloud, cloud.home(), &names).await?;
        there.extend(names.into_iter().take_while(|name| found.contains_key(name)));
        if found.len() < store::AT_ONCE {
            break;
        }
    }
    for name in there.iter().rev() {
        store::delete(cloud, cloud.home(), name).await?;
    }
    Ok(())
}

/// Removes the parts of a document.
async fn remove_parts(cloud: &Cloud, name: &str, id: &str, parts: usize) -> Result<(), CallError> {
    for name in part_names(name, id, parts) {
        store::delete(cloud, cloud.home(), &name).await?;
    }
    Ok(())
}

/// Removes the parts of the document whose parameter holds, or held, `text`.
pub(super) async fn remove_parts_of(cloud: &Cloud, name: &str, text: &str) -> Result<(), CallError> {
    // What cannot be read has no parts that anybody could find.
    match head(name, text) {
        Ok(Some(head)) => remove_parts(cloud, name, &head.id, head.parts).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        let text = "{}".to_owned() + &" ".repeat(ROOM - 2);
        assert_eq!(pack("id", &text), Packed { head: text, parts: vec![] });
    }

    proptest! {
        #[test]
        fn every_document_comes_back_and_every_parameter_has_room(text in "[a-z0-9{}\\[\\]\":, ]{0,6000}", id in "[0-9a-f]{16}") {
            let text = format!("\"{}\"", text.replace('"', "'"));
            let packed = pack(&id, &text);
            prop_assert!(packed.head.len() <= ROOM, "{}", packed.head.len());
            prop_assert!(packed.parts.iter().all(|part| part.len() <= ROOM && !part.is_empty()));
            match head("name", &packed.head).unwrap() {
                None => prop_assert_eq!(&packed.head, &text),
                Some(head) => {
                    prop_assert_eq!(head.parts, packed.parts.len());
                    prop_assert_eq!(unpack(&head, &packed.parts).unwrap(), text);
                    if let Some(last) = packed.parts.len().checked_sub(1) {
                        prop_assert!(unpack(&head, &packed.parts[..last]).is_err(), "a part is missing");
                    }
                }
            }
        }
    }
}
