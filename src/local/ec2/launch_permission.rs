//! Attributes of AMIs: launch permissions above all.

use super::super::Local;
use super::super::input::Input;
use super::super::records::{AMI, Ami};
use super::super::wire::{Caller, ServiceError};
use super::{images, input};
use serde_json::{Value, json};

/// `DescribeImageAttribute`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("ImageId")?;
    let attribute = input.required("Attribute")?;
    let ami = local.store.read(|tx| images::own(tx, &caller.scope, id))?;
    let mut answer = json!({ "imageId": id });
    let (member, value) = match attribute {
        "launchPermission" => ("launchPermission", permissions(&ami)),
        "description" => ("description", json!({ "value": ami.description })),
        "blockDeviceMapping" => ("blockDeviceMapping", images::block_devices(&ami)),
        "imdsSupport" => ("imdsSupport", json!({ "value": ami.imds_v2.then_some("v2.0") })),
        other => {
            let why = format!("The local environment does not have the attribute `{other}`.");
            return Err(input.invalid("Attribute", &why));
        }
    };
    answer[member] = value;
    Ok(answer)
}

fn permissions(ami: &Ami) -> Value {
    let public = ami.public.then(|| json!({ "group": "all" }));
    ami.launch_permissions.iter().map(|account| json!({ "userId": account })).chain(public).collect()
}

/// `ModifyImageAttribute`: launch permissions of accounts and the public, description, IMDS support.
pub(super) fn modify(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("ImageId")?;
    let change = Change::parse(&input)?;
    local.store.write(|tx| {
        let mut ami = images::own(tx, &caller.scope, id)?;
        change.apply(&mut ami)?;
        tx.put(&caller.scope, AMI, id, &ami)?;
        Ok(json!({ "return": true }))
    })
}

/// `ResetImageAttribute`: launch permissions are the owner's alone again.
pub(super) fn reset(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("ImageId")?;
    input.required("Attribute")?;
    input.one_of("Attribute", &["launchPermission"])?;
    local.store.write(|tx| {
        let mut ami = images::own(tx, &caller.scope, id)?;
        (ami.public, ami.launch_permissions) = (false, Vec::new());
        tx.put(&caller.scope, AMI, id, &ami)?;
        Ok(json!({ "return": true }))
    })
}

/// Who is let in or kept out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Who {
    Everybody,
    Account(String),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    add: Vec<Who>,
    remove: Vec<Who>,
    description: Option<String>,
    imds_v2: bool,
}

impl Change {
    fn parse(input: &Input<'_>) -> Result<Self, ServiceError> {
        let mut change = Self { description: value_of(input, "Description")?, ..Self::default() };
        match value_of(input, "ImdsSupport")?.as_deref() {
            None => {}
            Some("v2.0") => change.imds_v2 = true,
            Some(_) => return Err(input.invalid("ImdsSupport", "The only value is v2.0; it cannot be taken back.")),
        }
        if let Some(permission) = input.object("LaunchPermission")? {
            change.add = listed(&permission, "Add")?;
            change.remove = listed(&permission, "Remove")?;
        }
        change.older_form(input)?;
        if change == Self::default() {
            return Err(input.missing("LaunchPermission"));
        }
        Ok(change)
    }

    /// `Attribute=launchPermission&OperationType=add&UserId.1=…`, and `Attribute=description&Value=…`.
    fn older_form(&mut self, input: &Input<'_>) -> Result<(), ServiceError> {
        for name in ["OrganizationArn", "OrganizationalUnitArn"] {
            if input.get(name).is_some() {
                return Err(organization(input, name));
            }
        }
        let accounts = input.texts("UserId")?.into_iter().map(account).collect::<Result<Vec<_>, _>>()?;
        let groups = input.texts("UserGroup")?.into_iter().map(group).collect::<Result<Vec<_>, _>>()?;
        let who = accounts.into_iter().chain(groups);
        match input.one_of("OperationType", &["add", "remove"])? {
            Some("add") => self.add.extend(who),
            Some(_) => self.remove.extend(who),
            None if who.count() > 0 => return Err(input.missing("OperationType")),
            None => {}
        }
        if input.text("Attribute")? == Some("description") {
            self.description = Some(input.required("Value")?.to_owned());
        }
        Ok(())
    }

    /// Refuses to share what nobody else could launch.
    fn shareable(&self, ami: &Ami) -> Result<(), ServiceError> {
        if ami.state != "available" {
            let text =
                format!("The image ID '{}' is not available to be shared; its state is '{}'.", ami.id, ami.state);
            return Err(ServiceError::client("InvalidAMIID.Unavailable", text));
        }
        if ami.is_sealed() {
            let text = format!("Snapshot {} encrypted with the AWS Managed CMK can't be shared", ami.snapshot);
            return Err(ServiceError::client("InvalidParameter", text));
        }
        if self.add.contains(&Who::Everybody) && ami.encrypted {
            let text = format!("The image {} has encrypted snapshots and cannot be made public", ami.id);
            return Err(ServiceError::client("InvalidParameter", text));
        }
        Ok(())
    }

    fn apply(&self, ami: &mut Ami) -> Result<(), ServiceError> {
        if !self.add.is_empty() {
            self.shareable(ami)?;
        }
        for who in &self.remove {
            match who {
                Who::Everybody => ami.public = false,
                Who::Account(account) => ami.launch_permissions.retain(|permitted| permitted != account),
            }
        }
        for who in &self.add {
            match who {
                Who::Everybody => ami.public = true,
                Who::Account(account) => ami.launch_permissions.push(account.clone()),
            }
        }
        ami.launch_permissions.sort();
        ami.launch_permissions.dedup();
        if let Some(description) = &self.description {
            ami.description.clone_from(description);
        }
        ami.imds_v2 |= self.imds_v2;
        Ok(())
    }
}

fn value_of(input: &Input<'_>, name: &str) -> Result<Option<String>, ServiceError> {
    // Newer form `Description.Value=x`, older form `Description=x`.
    match input.get(name) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Ok(input.object(name)?.map(|object| object.text("Value")).transpose()?.flatten().map(str::to_owned)),
        None => Ok(None),
    }
}

fn listed(permission: &Input<'_>, name: &str) -> Result<Vec<Who>, ServiceError> {
    let one = |item: Input<'_>| {
        for name in ["OrganizationArn", "OrganizationalUnitArn"] {
            if item.get(name).is_some() {
                return Err(organization(&item, name));
            }
        }
        match (item.text("UserId")?, item.text("Group")?) {
            (Some(id), None) => account(id),
            (None, Some(name)) => group(name),
            _ => Err(item.invalid("UserId", "Each launch permission names one UserId or one Group.")),
        }
    };
    permission.objects(name)?.into_iter().map(one).collect()
}

fn organization(input: &Input<'_>, name: &str) -> ServiceError {
    input.invalid(name, "The local environment knows no organizations; name the accounts with UserId.")
}

/// Whether it has the form of an account id.
pub(super) fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn account(id: &str) -> Result<Who, ServiceError> {
    if is_account(id) {
        return Ok(Who::Account(id.to_owned()));
    }
    let text = format!("Invalid attribute item value \"{id}\" for userId item type: an account has twelve digits.");
    Err(ServiceError::client("InvalidAMIAttributeItemValue", text))
}

fn group(name: &str) -> Result<Who, ServiceError> {
    if name == "all" {
        return Ok(Who::Everybody);
    }
    let text = format!("Invalid attribute item value \"{name}\" for userGroup item type: the only group is `all`.");
    Err(ServiceError::client("InvalidAMIAttributeItemValue", text))
}
