//! What a distribution configuration asks for when an image is built: names, tags, permissions and copies
//! (DISTRIBUTING), then launch templates and parameters (INTEGRATING). See image-builder.md section 9.

use super::output::{CREATED_BY, IMAGE_ARN_TAG, timestamp};
use super::scripted::digits;
use super::undistributed::DistributionFailure;
use super::{ImageRecord, OutputAmi};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::{document, peer};
use crate::local::ec2::keys;
use crate::local::kms::Principal;
use crate::local::records::{AMI, Ami};
use crate::local::service::Service;
use crate::local::store::{Scope, StoreError, Transaction};
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Names of parameters that the service may write by itself; for others an execution role is needed.
const OWN_PARAMETERS: &str = "/imagebuilder/";

/// How long distributing may take: `timeoutMinutes` of every distribution configuration, which cannot be chosen.
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_hours(12);

/// The outcome of distributing: every AMI of the image, the one in its own Region first.
pub(super) type Outcome = Result<Vec<OutputAmi>, DistributionFailure>;

fn entries(image: &ImageRecord) -> &[Value] {
    document::items(&image.wishes.distribution, "distributions")
}

/// Whether there is anything to do in INTEGRATING.
pub(super) fn integrates(image: &ImageRecord) -> bool {
    entries(image).iter().any(|entry| {
        ["launchTemplateConfigurations", "ssmParameterConfigurations"]
            .iter()
            .any(|name| !document::items(entry, name).is_empty())
    })
}

/// Names, tags, shares and copies the AMI.
pub(super) fn distribute(
    tx: &Transaction<'_>,
    scope: &Scope,
    image: &ImageRecord,
    mut ami: Ami,
    now: OffsetDateTime,
) -> Result<Outcome, StoreError> {
    let settings = |region: &str| {
        let entry = entries(image).iter().find(|entry| document::text(entry, "region") == Some(region));
        entry.and_then(|entry| entry.get("amiDistributionConfiguration")).cloned()
    };
    if let Some(settings) = settings(&scope.region) {
        if let Err(failure) = keep(tx, scope, image, &settings, &mut ami, now)? {
            return Ok(Err(failure));
        }
        tx.put(scope, AMI, &ami.id, &ami)?;
    }
    let mut outputs = vec![super::output::output(&ami, scope)];
    for entry in entries(image) {
        let region = document::text(entry, "region").unwrap_or_default();
        let Some(settings) = settings(region) else { continue };
        let mut accounts: Vec<&str> =
            document::items(&settings, "targetAccountIds").iter().filter_map(Value::as_str).collect();
        if accounts.is_empty() {
            accounts.push(&scope.account);
        }
        for account in accounts {
            let target = Scope { account: account.to_owned(), region: region.to_owned() };
            if target == *scope {
                continue;
            }
            match copy(tx, &target, image, &settings, (&ami, scope), now)? {
                Ok(copied) => outputs.push(super::output::output(&copied, &target)),
                Err(failure) => return Ok(Err(failure)),
            }
        }
    }
    Ok(Ok(outputs))
}

/// Gives the AMI in the image's own Region the key of the configuration, and what else that says of it.
fn keep(
    tx: &Transaction<'_>,
    scope: &Scope,
    image: &ImageRecord,
    settings: &Value,
    ami: &mut Ami,
    now: OffsetDateTime,
) -> Result<Result<(), DistributionFailure>, StoreError> {
    // Without a key it stays as it was built.
    if settings.get("kmsKeyId").is_some() {
        match encryption(tx, scope, settings, (ami, scope), now) {
            Ok(key) => (ami.encrypted, ami.kms_key) = (true, key),
            Err(failure) => return Ok(Err(failure)),
        }
    }
    adapt(tx, scope, image, settings, ami, now)
}

fn copy(
    tx: &Transaction<'_>,
    target: &Scope,
    image: &ImageRecord,
    settings: &Value,
    (ami, from): (&Ami, &Scope),
    now: OffsetDateTime,
) -> Result<Result<Ami, DistributionFailure>, StoreError> {
    let what = format!("copy {} {}", target.region, target.account);
    let id = format!("ami-{}", &digits(&image.arn, &what)[..17]);
    if let Some(known) = tx.get::<Ami>(target, AMI, &id)? {
        return Ok(Ok(known));
    }
    let kms_key = match encryption(tx, target, settings, (ami, from), now) {
        Ok(key) => key,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut copied = Ami {
        id,
        owner: target.account.clone(),
        snapshot: format!("snap-{}", &digits(&image.arn, &format!("snapshot of {what}"))[..17]),
        created_at: rfc3339(now),
        public: false,
        launch_permissions: Vec::new(),
        source: Some(ami.id.clone()),
        source_region: Some(from.region.clone()),
        // What is encrypted stays so.
        encrypted: ami.encrypted || settings.get("kmsKeyId").is_some(),
        kms_key,
        tags: [(CREATED_BY.0, CREATED_BY.1), (IMAGE_ARN_TAG, image.arn.as_str())]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..ami.clone()
    };
    if copied.description.is_empty() {
        copied.description = format!("[Copied {} from {}] {}", ami.id, from.region, ami.name);
    }
    if let Err(failure) = adapt(tx, target, image, settings, &mut copied, now)? {
        return Ok(Err(failure));
    }
    tx.put(target, AMI, &copied.id, &copied)?;
    Ok(Ok(copied))
}

/// The key of an AMI that is made there of another one: the one that is wished for, else the account's default one. Nothing for the
/// key that AWS manages, and when nothing is encrypted.
fn encryption(
    tx: &Transaction<'_>,
    target: &Scope,
    settings: &Value,
    (ami, from): (&Ami, &Scope),
    now: OffsetDateTime,
) -> Result<Option<String>, DistributionFailure> {
    let given = document::text(settings, "kmsKeyId");
    if given.is_none() && !ami.encrypted {
        return Ok(None);
    }
    let role = if target.account == from.account { keys::IMAGE_BUILDER } else { keys::IMAGE_BUILDER_ABROAD };
    let who = Principal::of_role(target, role);
    let failed = |key: &str, region: &str, error: &ServiceError| {
        DistributionFailure::at(target, keys::copy_failure(key, region, error).1)
    };
    keys::reading(tx, (&who.at(&from.region), now), ami)
        .map_err(|error| failed(&keys::arn(ami, &from.region).unwrap_or_default(), &from.region, &error))?;
    keys::writing(tx, (&who, now), given)
        .map_err(|error| failed(given.unwrap_or("of the account"), &target.region, &error))
}

/// Gives an AMI what the configuration says of it.
fn adapt(
    tx: &Transaction<'_>,
    scope: &Scope,
    image: &ImageRecord,
    settings: &Value,
    ami: &mut Ami,
    now: OffsetDateTime,
) -> Result<Result<(), DistributionFailure>, StoreError> {
    if let Some(name) = document::text(settings, "name") {
        ami.name = named(name, image, now);
    }
    if let Some(description) = document::text(settings, "description") {
        description.clone_into(&mut ami.description);
    }
    ami.tags.extend(document::map(settings, "amiTags"));
    let permission = settings.get("launchPermission").cloned().unwrap_or_default();
    let accounts = document::items(&permission, "userIds").iter().filter_map(Value::as_str);
    ami.launch_permissions.extend(accounts.map(str::to_owned));
    ami.launch_permissions.sort();
    ami.launch_permissions.dedup();
    ami.public |= !document::items(&permission, "userGroups").is_empty();
    let failure = |message: String| DistributionFailure::at(scope, message);
    if ami.is_sealed() && !ami.launch_permissions.is_empty() {
        let text = format!("Snapshot {} encrypted with the AWS Managed CMK can't be shared", ami.snapshot);
        return Ok(Err(failure(text)));
    }
    if ami.public && ami.encrypted {
        let text = format!("The image {} has encrypted snapshots and cannot be made public.", ami.id);
        return Ok(Err(failure(text)));
    }
    let all = tx.list::<Ami>(scope, AMI, "")?;
    let taken = |other: &Ami| other.name == ami.name && other.id != ami.id && other.state != "deregistered";
    if let Some((other, _)) = all.iter().find(|(_, other)| taken(other)) {
        return Ok(Err(failure(format!("AMI name {} is already in use by AMI {other}.", ami.name))));
    }
    Ok(Ok(()))
}

/// A name with its placeholders replaced.
fn named(pattern: &str, image: &ImageRecord, now: OffsetDateTime) -> String {
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some((before, (inside, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        out.push_str(before);
        match inside.trim().strip_prefix("imagebuilder:") {
            Some("buildDate") => out.push_str(&timestamp(now)),
            Some("buildVersion") => out.push_str(&image.build.to_string()),
            Some(other) if other.starts_with("buildDate:") => out.push_str(&dated(&other["buildDate:".len()..], now)),
            _ => out.extend(["{{", inside, "}}"]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `yyyyMMddHHmmss` and parts of it.
fn dated(pattern: &str, now: OffsetDateTime) -> String {
    [
        ("yyyy", format!("{:04}", now.year())),
        ("MM", format!("{:02}", u8::from(now.month()))),
        ("dd", format!("{:02}", now.day())),
        ("HH", format!("{:02}", now.hour())),
        ("mm", format!("{:02}", now.minute())),
        ("ss", format!("{:02}", now.second())),
    ]
    .iter()
    .fold(pattern.to_owned(), |text, (word, value)| text.replace(word, value))
}

/// Makes launch template versions and writes parameters. Not within a transaction: the operations open their own.
///
/// # Errors
/// The first that did not succeed; what came before it stays, as on AWS.
pub(super) fn integrate(
    local: &Local,
    scope: &Scope,
    image: &ImageRecord,
    outputs: &[OutputAmi],
) -> Result<(), DistributionFailure> {
    for entry in entries(image) {
        let region = document::text(entry, "region").unwrap_or_default();
        let target = |account: Option<&str>| Scope {
            account: account.unwrap_or(&scope.account).to_owned(),
            region: region.to_owned(),
        };
        let failed = |at: &Scope, step: &str, message: String| DistributionFailure::at(at, message).in_step(step);
        for template in document::items(entry, "launchTemplateConfigurations") {
            let at = target(document::text(template, "accountId"));
            let done = ami_in(outputs, &target(None)).and_then(|ami| launch_template(local, &at, template, ami));
            done.map_err(|error| failed(&at, "UPDATE_LAUNCH_TEMPLATES", error.message))?;
        }
        for parameter in document::items(entry, "ssmParameterConfigurations") {
            let at = target(None);
            let of = target(document::text(parameter, "amiAccountId"));
            let done = ami_in(outputs, &of).and_then(|ami| put_parameter(local, &at, image, parameter, ami));
            done.map_err(|error| failed(&at, "PUT_SSM_PARAMETERS", error.message))?;
        }
    }
    Ok(())
}

/// The AMI of that account there; else any there is in the Region.
fn ami_in<'a>(outputs: &'a [OutputAmi], at: &Scope) -> Result<&'a str, ServiceError> {
    let there = || outputs.iter().filter(|output| output.region == at.region);
    let found = there().find(|output| output.account == at.account).or_else(|| there().next());
    let text = || format!("The image has no AMI in the Region {}.", at.region);
    found.map(|output| output.id.as_str()).ok_or_else(|| ServiceError::client("InvalidRequestException", text()))
}

fn call(local: &Local, at: &Scope, service: Service, operation: &str, request: &Value) -> Result<Value, ServiceError> {
    let caller = Caller::of(at.clone(), local.config.clock.now());
    peer::call(local, &caller, service, operation, request)
}

fn launch_template(local: &Local, at: &Scope, template: &Value, ami: &str) -> Result<(), ServiceError> {
    let id = document::text(template, "launchTemplateId").unwrap_or_default();
    let request = json!({
        "LaunchTemplateId": id, "SourceVersion": "$Default", "LaunchTemplateData": {"ImageId": ami},
    });
    let made = call(local, at, Service::Ec2, "CreateLaunchTemplateVersion", &request)?;
    if document::boolean(template, "setDefaultVersion").unwrap_or(true) {
        let number = made.pointer("/launchTemplateVersion/versionNumber").cloned().unwrap_or_default();
        let number = number.as_str().map_or_else(|| number.to_string(), str::to_owned);
        let request = json!({"LaunchTemplateId": id, "SetDefaultVersion": number});
        call(local, at, Service::Ec2, "ModifyLaunchTemplate", &request)?;
    }
    Ok(())
}

fn put_parameter(
    local: &Local,
    at: &Scope,
    image: &ImageRecord,
    parameter: &Value,
    ami: &str,
) -> Result<(), ServiceError> {
    let name = document::text(parameter, "parameterName").unwrap_or_default();
    if image.wishes.execution_role.is_none() && !name.starts_with(OWN_PARAMETERS) {
        let text =
            format!("Without an execution role only parameters below {OWN_PARAMETERS} can be written, not {name}.");
        return Err(ServiceError::client("AccessDeniedException", text));
    }
    let data_type = document::text(parameter, "dataType").unwrap_or("text");
    let request = json!({"Name": name, "Value": ami, "Type": "String", "DataType": data_type, "Overwrite": true});
    call(local, at, Service::Ssm, "PutParameter", &request).map(drop)
}

/// What the actions of distribution workflows work on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) local: &'a Local,
    pub(super) scope: &'a Scope,
    pub(super) image: &'a ImageRecord,
}

impl Work<'_> {
    /// Carries out an action of a distribution workflow (image-builder.md section 14); its outputs. What its inputs do not say is as
    /// the image's distribution configuration says. Not within a transaction.
    ///
    /// # Errors
    /// Why it did not succeed; what was done before it stays, as on AWS.
    pub(super) fn act(self, action: &str, inputs: &Value, ami: &Ami) -> Result<Value, String> {
        match action {
            "DistributeImage" => self.distribute(inputs, ami),
            "ModifyImageAttributes" => self.permit(inputs),
            _ => self.configure(inputs),
        }
    }

    fn now(self) -> OffsetDateTime {
        self.local.config.clock.now()
    }

    fn distribute(self, inputs: &Value, ami: &Ami) -> Result<Value, String> {
        let entry = |region: &Value, settings: &Value| {
            let mut settings = settings.clone();
            if let Some(settings) = settings.as_object_mut() {
                // Permissions are the affair of ModifyImageAttributes.
                settings.retain(|name, _| name != "launchPermission" && name != "region");
            }
            json!({"region": region, "amiDistributionConfiguration": settings})
        };
        let wanted: Vec<Value> = match inputs.get("distributions") {
            Some(_) => document::items(inputs, "distributions").iter().map(|one| entry(&one["region"], one)).collect(),
            None => entries(self.image)
                .iter()
                .filter_map(|one| Some(entry(&one["region"], one.get("amiDistributionConfiguration")?)))
                .collect(),
        };
        let image = self.with(&wanted);
        let begun = rfc3339(self.now());
        let known = ami.id.clone();
        let outcome = self.local.store.write(|tx| {
            let ami = tx.get::<Ami>(self.scope, AMI, &known)?;
            match ami {
                Some(ami) => distribute(tx, self.scope, &image, ami, self.now()),
                None => Ok(Ok(Vec::new())),
            }
        });
        let outputs = outcome.map_err(|error| error.to_string())?.map_err(|failure| failure.reason())?;
        let told = |output: &OutputAmi| {
            json!({
                "region": output.region,
                "name": output.name,
                "amiId": output.id,
                "accountId": output.account,
                "dateStarted": begun,
                "dateStopped": rfc3339(self.now()),
                "status": "Completed",
                "step": "Completed",
            })
        };
        Ok(json!({"distributedImages": outputs.iter().map(told).collect::<Vec<_>>()}))
    }

    /// The image with another distribution configuration.
    fn with(self, distributions: &[Value]) -> ImageRecord {
        let mut image = self.image.clone();
        image.wishes.distribution = json!({"distributions": distributions});
        image
    }

    fn permit(self, inputs: &Value) -> Result<Value, String> {
        let attached = || {
            let settings = entries(self.image).iter().map(|one| {
                let permission = one.pointer("/amiDistributionConfiguration/launchPermission");
                json!({"region": one["region"], "launchPermission": permission})
            });
            settings.collect::<Vec<Value>>()
        };
        let wanted = inputs.get("attributes").and_then(Value::as_array).cloned().unwrap_or_else(attached);
        let done = self.local.store.write(|tx| {
            for image in document::items(inputs, "distributedImages") {
                let region = document::text(image, "region").unwrap_or_default();
                let Some(one) = wanted.iter().find(|one| document::text(one, "region") == Some(region)) else {
                    continue;
                };
                let account = document::text(image, "accountId").unwrap_or(&self.scope.account);
                let target = Scope { account: account.to_owned(), region: region.to_owned() };
                let id = document::text(image, "amiId").unwrap_or_default();
                let Some(mut ami) = tx.get::<Ami>(&target, AMI, id)? else {
                    return Ok(Err(format!("The AMI {id} does not exist in {region}.")));
                };
                let settings = json!({"launchPermission": one["launchPermission"]});
                if let Err(failure) = adapt(tx, &target, self.image, &settings, &mut ami, self.now())? {
                    return Ok(Err(failure.reason()));
                }
                tx.put(&target, AMI, id, &ami)?;
            }
            Ok::<_, StoreError>(Ok(()))
        });
        done.map_err(|error| error.to_string())??;
        Ok(json!({"modifiedImages": document::items(inputs, "distributedImages")}))
    }

    fn configure(self, inputs: &Value) -> Result<Value, String> {
        let image = match inputs.get("configurations").and_then(Value::as_array) {
            Some(configurations) => self.with(configurations),
            None => self.image.clone(),
        };
        let outputs = images_of(document::items(inputs, "distributedImages"));
        integrate(self.local, self.scope, &image, &outputs).map_err(|failure| failure.reason())?;
        Ok(json!({"configuredImages": document::items(inputs, "distributedImages")}))
    }
}

fn images_of(told: &[Value]) -> Vec<OutputAmi> {
    let text = |one: &Value, name: &str| document::text(one, name).unwrap_or_default().to_owned();
    told.iter()
        .map(|one| OutputAmi {
            region: text(one, "region"),
            id: text(one, "amiId"),
            name: text(one, "name"),
            description: String::new(),
            account: text(one, "accountId"),
        })
        .collect()
}

/// Every AMI that the steps of a distribution workflow tell, the image's own first.
pub(super) fn told(context: &Value, own: &OutputAmi) -> Vec<OutputAmi> {
    let steps = context["stepOutputs"].as_object().into_iter().flatten();
    let told = steps.flat_map(|(_, outputs)| images_of(document::items(outputs, "distributedImages")));
    let mut all = vec![own.clone()];
    for one in told {
        match all.iter_mut().find(|known| known.id == one.id && known.region == one.region) {
            Some(known) => known.name = one.name,
            None => all.push(one),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn placeholders_of_names_are_replaced() {
        let now = time::macros::datetime!(2026-01-02 03:04:05.678 UTC);
        let image = record("1.2.3", 7);
        let name = |pattern: &str| named(pattern, &image, now);
        assert_eq!(name("web {{ imagebuilder:buildDate }}"), "web 2026-01-02T03-04-05.678Z");
        assert_eq!(
            name("web-{{imagebuilder:buildVersion}}-{{imagebuilder:buildDate:yyyyMMdd-HHmmss}}"),
            "web-7-20260102-030405"
        );
        assert_eq!(name("web {{ other }}"), "web {{ other }}");
    }
}
