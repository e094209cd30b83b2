//! From bytes to source files.

use crate::diagnostic::{Diagnostic, SourceFile, Span};
use std::sync::Arc;

/// More than this is not looked at: a template of CloudFormation has at most 1 MB, a component document 64 KB.
const MOST: usize = 1 << 20;

/// The source file that these bytes are, or what is wrong with them.
pub(crate) fn decode(name: &str, bytes: Vec<u8>) -> Result<Arc<SourceFile>, Diagnostic> {
    if bytes.len() > MOST {
        let message = format!("the file has {} bytes, more than any file that could be used here", bytes.len());
        let beginning = String::from_utf8_lossy(&bytes[..200]).into_owned();
        let shown = SourceFile::new(name, beginning.lines().next().unwrap_or_default());
        return Err(Diagnostic::error("D010", message)
            .at(&shown, Span::new(0, 0), "not looked at")
            .note("a component document has at most 64 KB, a template of CloudFormation at most 1 MB")
            .help("name the document itself, or leave this file out"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile::new(name, text)),
        Err(error) => Err(not_utf8(name, error.utf8_error().valid_up_to(), error.as_bytes())),
    }
}

fn not_utf8(name: &str, valid: usize, bytes: &[u8]) -> Diagnostic {
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let message = if wide { "the file is UTF-16, not UTF-8" } else { "the file is not UTF-8" };
    // What can be shown is shown up to the end of the line; what cannot becomes a replacement character.
    let end = bytes[valid..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| valid + at);
    let shown = if wide { String::new() } else { String::from_utf8_lossy(&bytes[..end]).into_owned() };
    let span = Span::new(valid.min(shown.len()), (valid + '\u{fffd}'.len_utf8()).min(shown.len()));
    let label = format!("byte {:#04x} is not valid here", bytes[valid]);
    Diagnostic::error("D015", message)
        .at(&SourceFile::new(name, shown), span, if wide { String::new() } else { label })
        .help("save it as UTF-8 in the editor, or convert it: `iconv -t UTF-8`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::render;

    #[test]
    fn what_is_not_utf8_is_located() {
        let fault = decode("a.yaml", b"name: caf\xe9 x\nmore: \xff\n".to_vec()).unwrap_err();
        assert_eq!((fault.code, fault.place().as_deref()), ("D015", Some("a.yaml:1:10")));
        assert!(render::text(&[fault], false).contains("byte 0xe9 is not valid here"));
        let fault = decode("a.yaml", b"\xff\xfen\0a\0".to_vec()).unwrap_err();
        assert!(fault.message.contains("UTF-16"), "{fault:?}");
    }

    #[test]
    fn what_is_too_large_is_not_looked_at() {
        assert_eq!(decode("a.yaml", vec![b'x'; MOST + 1]).unwrap_err().code, "D010");
        assert!(decode("a.yaml", vec![b'x'; MOST]).is_ok());
    }
}
