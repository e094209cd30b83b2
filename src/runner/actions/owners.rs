//! Users, groups and permission bits. Names are looked up in the machine's own `/etc/passwd` and `/etc/group`: name
//! services would load libraries of whatever root this runs in.

use super::{Machine, StepError};
use crate::component::modules::Action;
use crate::runner::values::Inputs;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown};
use std::path::Path;

/// `SetFileOwner`, `SetFolderOwner`.
pub fn set_owner(action: Action, item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let user = user(machine, item.required("owner"))?;
    let group = match item.text("group") {
        Some(name) => Some(group(machine, name)?),
        None => user.group,
    };
    let folder = action == Action::SetFolderOwner;
    check_kind(&path, folder)?;
    change_owner(&path, user.id, group)?;
    if folder && item.flag("recursive") {
        // Links inside are changed themselves; what they point to may lie anywhere.
        below(&path, &mut |entry| lchown(entry, Some(user.id), group))?;
    }
    Ok(())
}

/// `SetFilePermissions`, `SetFolderPermissions`.
pub fn set_permissions(action: Action, item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let bits = parse_permissions(item.required("permissions"))?;
    let folder = action == Action::SetFolderPermissions;
    check_kind(&path, folder)?;
    change_permissions(&path, bits)?;
    if folder && item.flag("recursive") {
        below(&path, &mut |entry| {
            if entry.is_symlink() { Ok(()) } else { fs::set_permissions(entry, Permissions::from_mode(bits)) }
        })?;
    }
    Ok(())
}

/// Applies `owner`, `group` and `permissions` of something just made, as far as they are given.
pub fn apply(path: &Path, item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let owner = item.text("owner").map(|name| user(machine, name)).transpose()?;
    let group = item.text("group").map(|name| group(machine, name)).transpose()?;
    if owner.is_some() || group.is_some() {
        chown(path, owner.map(|user| user.id), group)
            .map_err(|error| StepError::io("cannot change the owner of", path, &error))?;
    }
    // After the owner, because a change of owner drops the set-user-id bit.
    match item.text("permissions") {
        Some(text) => change_permissions(path, parse_permissions(text)?),
        None => Ok(()),
    }
}

/// Permission bits from octal text: `0644`, `644`, `0o644`.
pub fn parse_permissions(text: &str) -> Result<u32, StepError> {
    let digits = text.trim().strip_prefix("0o").unwrap_or(text.trim());
    u32::from_str_radix(digits, 8)
        .ok()
        .filter(|bits| *bits <= 0o7777 && !digits.starts_with('+'))
        .ok_or_else(|| StepError::Failed(format!("permissions must be octal, such as 0644, not `{text}`")))
}

fn check_kind(path: &Path, folder: bool) -> Result<(), StepError> {
    let found = fs::metadata(path).map_err(|error| StepError::io("cannot change", path, &error))?;
    match (folder, found.is_dir()) {
        (true, false) => Err(StepError::Failed(format!("{} is not a folder", path.display()))),
        (false, true) => Err(StepError::Failed(format!("{} is a folder, not a file", path.display()))),
        _ => Ok(()),
    }
}

fn change_owner(path: &Path, user: u32, group: Option<u32>) -> Result<(), StepError> {
    chown(path, Some(user), group).map_err(|error| StepError::io("cannot change the owner of", path, &error))
}

fn change_permissions(path: &Path, bits: u32) -> Result<(), StepError> {
    fs::set_permissions(path, Permissions::from_mode(bits))
        .map_err(|error| StepError::io("cannot change the permissions of", path, &error))
}

/// Calls `change` for everything below a folder, contents first, so that a folder is closed only after them.
fn below(folder: &Path, change: &mut dyn FnMut(&Path) -> std::io::Result<()>) -> Result<(), StepError> {
    let failed = |error| StepError::io("cannot list", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            below(&path, change)?;
        }
        change(&path).map_err(|error| StepError::io("cannot change", &path, &error))?;
    }
    Ok(())
}

/// A user: number, and primary group if it has an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    id: u32,
    group: Option<u32>,
}

/// A user by name or number.
fn user(machine: &Machine, name: &str) -> Result<User, StepError> {
    let line = entry(machine, "etc/passwd", name)?;
    let field = |at: usize| line.as_ref().and_then(|fields| fields.get(at)?.parse().ok());
    let id = field(2).or_else(|| name.parse().ok());
    id.map(|id| User { id, group: field(3) }).ok_or_else(|| StepError::Failed(format!("unknown user `{name}`")))
}

/// A group by name or number.
fn group(machine: &Machine, name: &str) -> Result<u32, StepError> {
    let line = entry(machine, "etc/group", name)?;
    let id = line.as_ref().and_then(|fields| fields.get(2)?.parse().ok());
    id.or_else(|| name.parse().ok()).ok_or_else(|| StepError::Failed(format!("unknown group `{name}`")))
}

/// The fields of the line of a name; of the line with this number if no name fits.
fn entry(machine: &Machine, file: &str, name: &str) -> Result<Option<Vec<String>>, StepError> {
    let path = machine.root.join(file);
    let text = fs::read_to_string(&path).map_err(|error| StepError::io("cannot read", &path, &error))?;
    let lines: Vec<Vec<String>> = text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect();
    let find = |at: usize| lines.iter().find(|fields| fields.get(at).is_some_and(|field| field == name));
    Ok(find(0).or_else(|| find(2)).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn users_and_groups_come_from_the_machines_own_files() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:998:997::/:/bin/false\n").unwrap();
        fs::write(root.path().join("etc/group"), "root:x:0:\nweb:x:33:app\n").unwrap();
        let machine = Machine { root: root.path().into(), directory: root.path().into(), environment: BTreeMap::new() };
        assert_eq!(user(&machine, "app").unwrap(), User { id: 998, group: Some(997) });
        assert_eq!(user(&machine, "998").unwrap(), User { id: 998, group: Some(997) });
        assert_eq!(user(&machine, "1234").unwrap(), User { id: 1234, group: None });
        assert_eq!(group(&machine, "web").unwrap(), 33);
        assert!(user(&machine, "nobody").is_err() && group(&machine, "app").is_err() && user(&machine, "").is_err());
        fs::remove_file(root.path().join("etc/passwd")).unwrap();
        assert!(user(&machine, "app").is_err());
    }

    #[test]
    fn permissions_are_octal() {
        for (text, bits) in [("0777", 0o777), ("777", 0o777), ("0o644", 0o644), ("4755", 0o4755)] {
            assert_eq!(parse_permissions(text).unwrap(), bits);
        }
        for text in ["", "888", "+644", "u+x", "17777"] {
            assert!(parse_permissions(text).is_err(), "{text}");
        }
    }
}
