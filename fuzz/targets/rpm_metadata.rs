//! Metadata of RPM repositories: any bytes are read without a panic, errors are inside of the file, and what was read whole
//! is not read whole without its end.
#![no_main]

use amiforge::patch::rpm::{Advisories, MetadataError, Packages, Repomd, decompressed};
use libfuzzer_sys::fuzz_target;

/// What decompressing may make of it.
const LIMIT: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let within = |error: &MetadataError| {
        assert!(error.at <= LIMIT && !error.to_string().is_empty(), "{error:?}");
    };
    let plain = |error: &MetadataError| assert!(error.at <= data.len() as u64, "{error:?}");
    for read in [whole_repomd, whole_primary, whole_updateinfo] {
        match read(data) {
            Err(error) => plain(&error),
            Ok(()) => {
                let end = data.iter().rposition(|b| *b == b'>').unwrap_or_default();
                assert!(!data[..end].contains(&b'<') || read(&data[..end]).is_err(), "cut, and still whole");
            }
        }
    }
    match decompressed("f", data, LIMIT) {
        Err(error) => plain(&error),
        Ok(bytes) => {
            if let Err(error) = Advisories::new("f", bytes).and_then(|all| all.map(|one| one.map(drop)).collect::<Result<(), _>>()) {
                within(&error);
            }
        }
    }
});

fn whole_repomd(data: &[u8]) -> Result<(), MetadataError> {
    let repomd = Repomd::read("f", data)?;
    for list in &repomd.data {
        assert!(!list.location.starts_with('/') && !list.location.split('/').any(|part| part == ".."));
        let _ = list.check(data);
    }
    Ok(())
}

fn whole_primary(data: &[u8]) -> Result<(), MetadataError> {
    for package in Packages::new("f", data)? {
        let package = package?;
        assert!(!package.name.is_empty() && !package.evr.version.is_empty());
        assert!(!package.location.split('/').any(|part| part == ".."));
    }
    Ok(())
}

fn whole_updateinfo(data: &[u8]) -> Result<(), MetadataError> {
    for advisory in Advisories::new("f", data)? {
        let advisory = advisory?;
        assert!(!advisory.id.is_empty());
        let _ = (advisory.cves(), advisory.classification(), advisory.is_in_force());
    }
    Ok(())
}
