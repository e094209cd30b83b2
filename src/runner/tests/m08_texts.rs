//! Matrix item 8: encodings there and back, and permission bits as they are written.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn every_encoding_is_read_back_as_it_was_written() {
    for encoding in crate::component::modules::ENCODINGS {
        let mut bench = bench();
        let steps = format!(
            "- {{ name: Write, action: CreateFile, inputs: [{{ path: file, content: 'é☺ text', encoding: {encoding} }}] }}\n\
             - {{ name: More, action: AppendFile, inputs: [{{ path: file, content: '𝄞', encoding: {encoding} }}] }}\n\
             - {{ name: Read, action: ReadFile, inputs: [{{ path: file, encoding: {} }}] }}\n",
            encoding.to_uppercase()
        );
        let summary = bench.steps(&[&steps]);
        assert_eq!(summary.status, RunStatus::Success, "{encoding}: {}", summary.failure_message);
        assert_eq!(bench.told("Read").1, r#"[{"content":"é☺ text𝄞"}]"#, "{encoding}");
    }
}

#[test]
fn without_a_suffix_the_low_byte_comes_first() {
    for (encoding, bytes) in [
        ("utf16", &b"a\0"[..]),
        ("utf-16-LE", b"a\0"),
        ("utf16-BE", b"\0a"),
        ("utf-32", b"a\0\0\0"),
        ("utf32-BE", b"\0\0\0a"),
    ] {
        let mut bench = bench();
        bench.steps(&[&format!(
            "- {{ name: Write, action: CreateFile, inputs: [{{ path: file, content: a, encoding: {encoding} }}] }}\n"
        )]);
        let written = fs::read(bench.path("file")).unwrap();
        assert!(written.ends_with(bytes), "{encoding}: {written:?}");
    }
}

#[test]
fn permission_bits_are_octal_however_they_are_written() {
    let mut bench = bench();
    bench.write("file", "");
    for text in ["0741", "\"0741\"", "741", "'741'"] {
        fs::set_permissions(bench.path("file"), fs::Permissions::from_mode(0o600)).unwrap();
        let step =
            format!("- {{ name: Set, action: SetFilePermissions, inputs: [{{ path: file, permissions: {text} }}] }}\n");
        assert_eq!(bench.steps(&[&step]).status, RunStatus::Success, "{text}");
        assert_eq!(fs::metadata(bench.path("file")).unwrap().permissions().mode() & 0o7777, 0o741, "{text}");
    }
}
