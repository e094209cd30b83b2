//! Creating components.

use super::super::Local;
use super::super::input::Input;
use super::super::records::{COMPONENT, ComponentRecord};
use super::super::store::Transaction;
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Version};
use super::{MISMATCH, already_exists, check_quota, document, dry_run, input, resource_name, tags};
use crate::clock::rfc3339;
use serde_json::{Value, json};

/// Longest inline document in characters; through S3, which is not here, AWS takes 64 KB.
const MAX_DATA: usize = 16_000;

/// A checked request.
struct Wish {
    name: String,
    version: Version,
    record: ComponentRecord,
}

/// `CreateComponent`. The same name and version with other content makes the next build version.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let wish = parse(&input, caller)?;
    let is_dry = input.flag("dryRun")?.unwrap_or(false);
    let once = Once { operation: "CreateComponent", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let record = next_build(tx, caller, &wish)?;
            if is_dry {
                return Err(dry_run());
            }
            tx.put(&caller.scope, COMPONENT, &record.arn, &record)?;
            let base = arn::base(&caller.scope, "component", &wish.name);
            Ok(json!({
                "clientToken": request.get("clientToken"),
                "componentBuildVersionArn": record.arn,
                "latestVersionReferences": arn::latest_references(&base, wish.version),
            }))
        })
    })
}

fn parse(input: &Input<'_>, caller: &Caller) -> Result<Wish, ServiceError> {
    let name = resource_name(input)?;
    let text = input.required("semanticVersion")?;
    let version = arn::version(text).ok_or_else(|| {
        input.invalid("semanticVersion", "semanticVersion must match pattern ^[0-9]+\\.[0-9]+\\.[0-9]+$")
    })?;
    let Some(platform) = input.one_of("platform", &["Windows", "Linux", "macOS"])? else {
        return Err(input.missing("platform"));
    };
    let (data, kind) = document(input)?;
    if input.get("kmsKeyId").is_some() {
        return Err(input.invalid("kmsKeyId", "The local environment does not encrypt documents; leave it out."));
    }
    let supported = input.texts("supportedOsVersions")?;
    if supported.len() > 25 {
        return Err(input.invalid("supportedOsVersions", "At most 25 operating system versions are allowed."));
    }
    let new_tags = input.map("tags")?;
    tags::check(&new_tags)?;
    let record = ComponentRecord {
        arn: String::new(),
        name: name.to_owned(),
        version: arn::show(version),
        build: 0,
        description: input.limited("description", 1..=1024)?.unwrap_or_default().to_owned(),
        change_description: input.limited("changeDescription", 1..=1024)?.unwrap_or_default().to_owned(),
        platform: platform.to_owned(),
        supported_os_versions: supported.into_iter().map(str::to_owned).collect(),
        kind: kind.to_owned(),
        data: data.to_owned(),
        created_at: rfc3339(caller.now),
        tags: new_tags,
    };
    Ok(Wish { name: name.to_owned(), version, record })
}

/// The document of a request and the type of component that it makes.
fn document<'a>(input: &Input<'a>) -> Result<(&'a str, &'static str), ServiceError> {
    let combination = |text: &str| Err(ServiceError::client("InvalidParameterCombinationException", text));
    let data = match (input.text("data")?, input.text("uri")?) {
        (Some(data), None) => data,
        (None, None) => return combination("You must specify either 'data' or 'uri' to create a component."),
        (Some(_), Some(_)) => return combination("You can't specify both 'data' and 'uri' to create a component."),
        (None, Some(_)) => {
            return Err(input.invalid("uri", "The local environment has no S3; give the document inline with 'data'."));
        }
    };
    let length = data.chars().count();
    if !(1..=MAX_DATA).contains(&length) {
        let why = format!("The document has {length} characters; inline documents can have 1 to {MAX_DATA}.");
        return Err(input.invalid("data", &why));
    }
    if data.contains('\0') {
        return Err(input.invalid("data", "The document contains a NUL character."));
    }
    let document = document::read(data).map_err(|errors| input.invalid("data", &errors.join(" ")))?;
    Ok((data, document::kind(&document)))
}

/// The record under the next free build number.
fn next_build(tx: &Transaction<'_>, caller: &Caller, wish: &Wish) -> Result<ComponentRecord, ServiceError> {
    let base = arn::base(&caller.scope, "component", &wish.name);
    let of_name: Vec<(String, ComponentRecord)> = tx.list(&caller.scope, COMPONENT, &format!("{base}/"))?;
    if let Some((taken, _)) = of_name.iter().find(|(_, other)| other.name != wish.name) {
        // Another name with the same normalised form.
        return Err(already_exists(taken));
    }
    check_quota("components", tx.list::<Value>(&caller.scope, COMPONENT, "")?.len())?;
    let latest = of_name
        .into_iter()
        .map(|(_, record)| record)
        .filter(|record| record.version == wish.record.version)
        .max_by_key(|record| record.build);
    if let Some(same) = latest.as_ref().filter(|latest| has_same_content(latest, &wish.record)) {
        return Err(already_exists(&same.arn));
    }
    let build = latest.map_or(1, |latest| latest.build + 1);
    let arn = format!("{base}/{}/{build}", wish.record.version);
    Ok(ComponentRecord { arn, build, ..wish.record.clone() })
}

fn has_same_content(a: &ComponentRecord, b: &ComponentRecord) -> bool {
    (&a.data, &a.platform, &a.supported_os_versions, &a.description)
        == (&b.data, &b.platform, &b.supported_os_versions, &b.description)
}
