//! What the collector prints: any text is read without a panic, what is read is a document that reads back as the same, and
//! evaluating it does not panic either. A text without its end is never an inventory.
#![no_main]

use amiforge::patch::{Context, Inventory, collect, evaluate, predefined};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let Ok(inventory) = collect::read(&text) else { return };
    assert!(text.lines().any(|line| line.starts_with("= end ")));
    if let Ok(json) = inventory.to_json() {
        // A source may offer what the document's own rules refuse; what they take is the same again.
        if let Ok(again) = Inventory::from_json(&json) {
            assert_eq!(again, inventory);
        }
    }
    let now = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
    for name in ["AWS-DebianDefaultPatchBaseline", "AWS-AmazonLinux2023DefaultPatchBaseline"] {
        let Some(baseline) = predefined(name) else { continue };
        let _ = evaluate(&baseline, &inventory, &Context::new(now));
    }
});
