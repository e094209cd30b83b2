//! This program and the libraries it is linked with, for a machine that has none of them.

use crate::sandbox::SandboxError;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The running program, without what comes after its last segment: only debuggers read that, and it is most of it.
///
/// # Errors
/// When it cannot be read, or is no ELF file of 64 bits.
pub(super) fn own() -> Result<Vec<u8>, SandboxError> {
    let path = Path::new("/proc/self/exe");
    let bytes = fs::read(path).map_err(SandboxError::file("cannot read", path))?;
    loaded_part(bytes).ok_or_else(|| {
        SandboxError::file("cannot use", path)(io::Error::other("it is no ELF file of 64 bits, low byte first"))
    })
}

/// Offsets in the header of an ELF file of 64 bits (elf(5)).
mod offset {
    pub(super) const SEGMENTS: usize = 0x20;
    pub(super) const SECTIONS: usize = 0x28;
    pub(super) const SEGMENT_SIZE: usize = 0x36;
    pub(super) const SEGMENT_COUNT: usize = 0x38;
    pub(super) const SECTION_COUNT: usize = 0x3c;
    pub(super) const END: usize = 0x40;
}

fn loaded_part(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    // Magic number, class (64 bits) and byte order.
    if bytes.len() < offset::END || !bytes.starts_with(&[0x7f, b'E', b'L', b'F', 2, 1]) {
        return None;
    }
    let table = usize::try_from(number(&bytes, offset::SEGMENTS, 8)?).ok()?;
    let size = usize::try_from(number(&bytes, offset::SEGMENT_SIZE, 2)?).ok()?;
    let count = usize::try_from(number(&bytes, offset::SEGMENT_COUNT, 2)?).ok()?;
    let mut end = table + size * count;
    for at in (0..count).map(|index| table + size * index) {
        // p_offset and p_filesz
        let (start, length) = (number(&bytes, at + 8, 8)?, number(&bytes, at + 32, 8)?);
        end = end.max(usize::try_from(start.checked_add(length)?).ok()?);
    }
    bytes.truncate(end);
    bytes[offset::SECTIONS..offset::SECTIONS + 8].fill(0);
    bytes[offset::SECTION_COUNT..offset::END].fill(0);
    Some(bytes)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(length)?)?;
    Some(digits.iter().rev().fold(0, |number, digit| number << 8 | u64::from(*digit)))
}

/// The libraries that are loaded now, and the loader, by the paths at which a program looks for them.
///
/// # Errors
/// When they cannot be read.
pub(super) fn libraries() -> Result<Vec<(PathBuf, Vec<u8>)>, SandboxError> {
    let maps = Path::new("/proc/self/maps");
    let text = fs::read_to_string(maps).map_err(SandboxError::file("cannot read", maps))?;
    let own = fs::read_link("/proc/self/exe").unwrap_or_default();
    let mapped = text.lines().filter_map(|line| line.split_whitespace().nth(5)).map(PathBuf::from);
    let is_library = |path: &PathBuf| path.is_absolute() && *path != own && is_shared(path);
    let mut paths: BTreeSet<PathBuf> = mapped.filter(is_library).collect();
    paths.extend(interpreter());
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).map_err(SandboxError::file("cannot read", &path))?;
        Ok((path, bytes))
    };
    paths.into_iter().map(read).collect()
}

fn is_shared(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').any(|part| part == "so")
}

/// The loader as the program names it (`PT_INTERP`).
fn interpreter() -> Option<PathBuf> {
    const INTERPRETER: u64 = 3;
    let bytes = fs::read("/proc/self/exe").ok()?;
    let table = usize::try_from(number(&bytes, offset::SEGMENTS, 8)?).ok()?;
    let size = usize::try_from(number(&bytes, offset::SEGMENT_SIZE, 2)?).ok()?;
    let count = usize::try_from(number(&bytes, offset::SEGMENT_COUNT, 2)?).ok()?;
    let at = (0..count).map(|index| table + size * index).find(|at| number(&bytes, *at, 4) == Some(INTERPRETER))?;
    let (start, length) = (number(&bytes, at + 8, 8)?, number(&bytes, at + 32, 8)?);
    let (start, length) = (usize::try_from(start).ok()?, usize::try_from(length).ok()?);
    let text = std::str::from_utf8(bytes.get(start..start + length)?).ok()?;
    Some(PathBuf::from(text.trim_end_matches('\0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    #[test]
    fn the_program_still_runs_without_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let (whole, part) = (fs::metadata("/proc/self/exe").unwrap().len(), own().unwrap());
        assert!((part.len() as u64) < whole);
        fs::write(&path, part).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(&path).arg("--list").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("the_program_still_runs_without_its_end"), "{text}");
        assert_eq!(loaded_part(b"#!/bin/sh".to_vec()), None);
    }

    #[test]
    fn libraries_and_loader_are_found() {
        let found = libraries().unwrap();
        let has = |word: &str| found.iter().any(|(path, _)| path.to_string_lossy().contains(word));
        assert!(has("libc.so") && has("/ld-linux"), "{:?}", found.iter().map(|(path, _)| path).collect::<Vec<_>>());
    }
}
