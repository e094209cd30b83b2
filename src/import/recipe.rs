//! One image recipe as the text of a project's recipe.

use super::convert::{Settings, comment};
use super::model::{Account, Component, Recipe, Use, Volume};
use crate::project::{Arch, Os};
use crate::yaml::emit;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Longest value of a parameter that a recipe may have (component-documents.md 13).
const LONGEST_VALUE: usize = 1_024;

/// Types of root volumes that recipes know.
const VOLUME_TYPES: [&str; 5] = ["gp3", "gp2", "io2", "io1", "standard"];

/// What operating systems are called in names of AMIs and parameters, in lower case. All words of a row must be there.
const SYSTEMS: [(Os, &[&str]); 13] = [
    (Os::Debian12, &["debian", "12"]),
    (Os::Debian12, &["bookworm"]),
    (Os::Debian13, &["debian", "13"]),
    (Os::Debian13, &["trixie"]),
    (Os::Ubuntu2404, &["ubuntu", "24.04"]),
    (Os::Ubuntu2404, &["ubuntu", "noble"]),
    (Os::Ubuntu2404, &["ubuntu-server-24-lts"]),
    (Os::AmazonLinux2023, &["al2023"]),
    (Os::AmazonLinux2023, &["amazon", "linux", "2023"]),
    (Os::Rhel9, &["rhel", "9"]),
    (Os::Rhel9, &["red", "hat", "9"]),
    (Os::Sles15, &["sles", "15"]),
    (Os::WindowsServer2022, &["windows", "server", "2022"]),
];

/// The text below the name, and what has no place in it.
pub(super) struct Made {
    pub(super) text: String,
    pub(super) lost: Vec<String>,
    pub(super) arch: Arch,
}

/// Converts one recipe.
///
/// # Errors
/// Why it cannot be imported, as the second half of a sentence.
pub(super) fn convert(
    recipe: &Recipe,
    account: &Account,
    names: &BTreeMap<String, String>,
    settings: &Settings,
) -> Result<Made, String> {
    let os = system(recipe, account, settings)?;
    let mut made = Made { text: String::new(), lost: vec![], arch: Arch::X86_64 };
    made.put("os", &json!(os.name()));
    made.architecture(recipe, os, settings)?;
    made.version(&recipe.version)?;
    made.put("parent", &parent(&recipe.parent)?);
    made.components(recipe, account, names);
    made.volumes(&recipe.volumes, os);
    made.rest(recipe);
    Ok(made)
}

/// The operating system: by what the parent is called, else by what components are for, else as the user says.
fn system(recipe: &Recipe, account: &Account, settings: &Settings) -> Result<Os, String> {
    if recipe.platform == "macOS" {
        return Err("amiforge makes no images of macOS".to_owned());
    }
    let components = recipe.components.iter().filter_map(|used| account.components.get(&used.arn));
    let supported: BTreeSet<&String> = components.flat_map(|component: &Component| &component.supported).collect();
    let sources =
        [recipe.parent_name.iter().collect(), vec![&recipe.parent], supported.into_iter().collect::<Vec<_>>()];
    let found = sources.into_iter().find_map(|texts| texts.into_iter().find_map(|text| named(text)));
    let os = found.or(settings.os).ok_or_else(|| {
        format!("its operating system cannot be seen from the parent image {}; --os names it", recipe.parent)
    })?;
    if !recipe.platform.is_empty() && os.platform() != recipe.platform {
        return Err(format!("it is for {}, and {} is not", recipe.platform, os.name()));
    }
    Ok(os)
}

fn named(text: &str) -> Option<Os> {
    let text = text.to_lowercase();
    SYSTEMS.into_iter().find(|(_, words)| words.iter().all(|word| text.contains(word))).map(|(os, _)| os)
}

/// The parent image as recipes write it.
fn parent(text: &str) -> Result<Value, String> {
    if text.starts_with("ami-") {
        return Ok(json!({ "ami": text }));
    }
    if text.starts_with("arn:") && text.contains(":imagebuilder:") {
        return Ok(json!({ "image": text }));
    }
    let Some(parameter) = text.strip_prefix("ssm:") else {
        return Err(format!("its parent image `{text}` is a product of the Marketplace, which recipes cannot name"));
    };
    // The ARN of a parameter ends with its name, slash included.
    let name = match parameter.split_once(":parameter/") {
        Some((_, name)) => format!("/{name}"),
        None => parameter.to_owned(),
    };
    if name.starts_with('/') {
        return Ok(json!({ "ssm": name }));
    }
    Err(format!("its parent parameter `{parameter}` does not begin with a slash, as recipes want it"))
}

impl Made {
    fn put(&mut self, key: &str, value: &Value) {
        self.text.push_str(&emit(&json!({ key: value })));
    }

    /// A comment where it would stand, and a line of what is lost.
    fn lose(&mut self, what: impl Into<String>) {
        let what = what.into();
        let _ = writeln!(self.text, "# Not imported: {}", comment(&what));
        self.lost.push(what);
    }

    fn architecture(&mut self, recipe: &Recipe, os: Os, settings: &Settings) -> Result<(), String> {
        let text = recipe.parent.to_lowercase();
        let spelled = if text.contains("arm64") || text.contains("aarch64") {
            Some(Arch::Arm64)
        } else if text.contains("x86_64") || text.contains("amd64") {
            Some(Arch::X86_64)
        } else {
            None
        };
        let seen = recipe.parent_arch.as_deref().and_then(Arch::parse).or(spelled).or(settings.arch);
        if seen.is_none() {
            self.text.push_str("# The architecture could not be seen; x86_64 is assumed.\n");
        }
        let arch = seen.unwrap_or(Arch::X86_64);
        if !os.architectures().contains(&arch) {
            return Err(format!("there is no {} for {}", os.name(), arch.name()));
        }
        self.arch = arch;
        self.put("architectures", &json!([arch.name()]));
        Ok(())
    }

    /// Major and minor number; the third follows the content.
    fn version(&mut self, version: &str) -> Result<(), String> {
        let mut numbers = version.split('.');
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
            return Err(format!("its version `{version}` is none"));
        };
        self.put("version", &json!(format!("{major}.{minor}")));
        Ok(())
    }

    fn components(&mut self, recipe: &Recipe, account: &Account, names: &BTreeMap<String, String>) {
        for (key, test) in [("build", false), ("test", true)] {
            let of = |used: &&Use| account.components.get(&used.arn).is_some_and(|one| one.test == test);
            let mut items = Vec::new();
            for used in recipe.components.iter().filter(of) {
                if let Some(item) = self.item(used, account, names) {
                    items.push(item);
                }
            }
            if !items.is_empty() {
                self.put(key, &Value::Array(items));
            } else if test {
                self.text.push_str("# The recipe has no test, and so none is required of a candidate.\n");
                self.put("gates", &json!({ "patches": { "missing": 0, "rejected": 0 } }));
            }
        }
    }

    /// One component, with a comment in front of the list where it is not the project's own.
    fn item(&mut self, used: &Use, account: &Account, names: &BTreeMap<String, String>) -> Option<Value> {
        let (component, name) = (account.components.get(&used.arn)?, names.get(&used.arn)?);
        if component.document.is_none() {
            self.lose(format!("component {}: its document may not be read", used.arn));
            return None;
        }
        if !owned(&used.arn) {
            let _ = writeln!(
                self.text,
                "# {name} is a copy of {}, taken as it was; what its owner changes later does not come by itself.",
                comment(&component.arn)
            );
        } else if used.arn.contains(".x") || used.arn.contains("/x.") {
            let _ = writeln!(self.text, "# {name} was referred to as {}.", comment(&used.arn));
        }
        let mut parameters = Map::new();
        for (key, values) in &used.parameters {
            let value = values.join(",");
            if value.is_empty() || value.chars().count() > LONGEST_VALUE {
                self.lose(format!("parameter {key} of {name}: recipes take 1 to {LONGEST_VALUE} characters"));
            } else {
                parameters.insert(key.clone(), json!(value));
            }
        }
        Some(if parameters.is_empty() { json!(name) } else { json!({ name: parameters }) })
    }

    fn volumes(&mut self, volumes: &[Volume], os: Os) {
        let root = volumes.iter().position(|one| one.device == os.root_device());
        for (number, volume) in volumes.iter().enumerate() {
            if Some(number) == root {
                self.root(volume);
            } else {
                let size = volume.size.map_or_else(String::new, |size| format!(" {size} GiB"));
                let more = [&[String::new()], volume.more.as_slice()].concat().join(", ");
                let kind = volume.kind.as_ref().map_or_else(String::new, |kind| format!(" {kind}"));
                self.lose(format!("volume {}{size}{kind}{more}: recipes have a root volume only", volume.device));
            }
        }
        if root.is_none() {
            self.text.push_str(
                "# The recipe took the root volume as the parent image has it; this is amiforge's default.\n",
            );
        }
    }

    fn root(&mut self, volume: &Volume) {
        for more in &volume.more {
            self.lose(format!("root volume: {more}"));
        }
        let mut root = Map::new();
        if let Some(size) = volume.size {
            root.insert("size_gib".to_owned(), json!(size));
        }
        match volume.kind.as_deref() {
            Some(kind) if VOLUME_TYPES.contains(&kind) => drop(root.insert("type".to_owned(), json!(kind))),
            Some(kind) => self.lose(format!("root volume: type {kind}")),
            None => {}
        }
        // Nothing said is not encrypted, unless the account encrypts by default; amiforge does unless it is told not to.
        root.insert("encrypted".to_owned(), json!(volume.encrypted == Some(true)));
        self.put("root_volume", &Value::Object(root));
    }

    fn rest(&mut self, recipe: &Recipe) {
        let usual = if recipe.platform == "Windows" { "C:/" } else { "/tmp" };
        if let Some(folder) = recipe.working_directory.as_deref().filter(|folder| *folder != usual) {
            self.lose(format!("working directory {folder}; amiforge uses {usual}"));
        }
        if recipe.uninstall_agent == Some(true) {
            self.lose("the SSM Agent is removed after the build; amiforge keeps it, because validation needs it");
        }
        if recipe.user_data {
            self.lose("user data of its own");
        }
        for (key, value) in recipe.ami_tags.iter().filter(|(key, _)| !key.starts_with("amiforge:")) {
            self.lose(format!("AMI tag {key}={value}; tags of all resources stand in amiforge.yaml"));
        }
    }
}

/// Whether an ARN is of an account, and not of AWS or the Marketplace.
fn owned(arn: &str) -> bool {
    arn.split(':').nth(4).is_some_and(|owner| owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit()))
}
