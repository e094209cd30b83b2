//! The schema of recipes.

use super::{default, described, file, flag, mapping, matching, name, number, or_nothing, text, texts};
use crate::project::parent::{LONGEST_PATTERN, OWNERS, REFERENCES, SOURCES};
use crate::project::pipeline::{FAILURES, STARTS, TIMEZONE, TIMEZONE_LENGTH, schedule_pattern};
use crate::project::recipe::{
    LARGEST_VERSION, LONGEST_VALUE, MOST_COMPONENTS, USUAL_PARAMETER, USUAL_TEMPLATE, VOLUME_SIZES, VOLUME_TYPES,
};
use crate::project::workflows::{GROUP, MOST, ON_FAILURE, reference_pattern};
use crate::project::{Arch, Os};
use serde_json::{Map, Value, json};

/// The schema of `recipes/*.yaml`.
pub fn recipe() -> Value {
    let schema = mapping(
        &["os", "parent"],
        [
            ("name", described("The name of the file without its ending; may be left out.", matching(name(true)))),
            ("os", described("Operating system of the image.", json!({ "enum": names_of_systems() }))),
            ("architectures", architectures()),
            ("version", version()),
            ("parent", parent()),
            ("build", uses("Components of the build stage, in order.")),
            ("test", uses("Components that test the new image on a fresh instance, in order.")),
            ("baseline", baseline()),
            ("patch_overrides", patch_overrides()),
            ("hooks", hooks()),
            ("root_volume", root_volume()),
            ("gates", super::gates::of_recipe()),
            ("workflows", workflows()),
            ("pipeline", pipeline()),
            ("promote", promote()),
        ],
    );
    let mut schema = file(
        "amiforge recipe",
        "An image: what it is made from, what is done to it, and what it must pass. `amiforge lint` also checks what needs \
         other files.",
        schema,
    );
    schema["allOf"] = demands();
    schema
}

fn names_of_systems() -> Vec<&'static str> {
    Os::all().into_iter().map(Os::name).collect()
}

fn architectures() -> Value {
    let names: Vec<&str> = Arch::all().iter().map(|arch| arch.name()).collect();
    let list = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": { "enum": names } });
    described("CPU architectures the image is built for.", default(vec![Arch::X86_64.name()], list))
}

fn version() -> Value {
    let part = at_most(LARGEST_VERSION);
    let summary = "Major and minor number in quotes; the third number follows the content by itself.";
    described(summary, default("1.0", matching(format!(r"^({part})\.({part})$"))))
}

/// The pattern of the numbers from 0 to this one, without zeros in front.
fn at_most(largest: u32) -> String {
    let digits = largest.to_string();
    let mut choices = vec!["0".to_owned(), format!("[1-9][0-9]{{0,{}}}", digits.len() - 2)];
    for (at, digit) in digits.bytes().enumerate() {
        let least = if at == 0 { b'1' } else { b'0' };
        if digit > least {
            let (before, after) = (&digits[..at], digits.len() - at - 1);
            choices.push(format!("{before}[{}-{}][0-9]{{{after}}}", char::from(least), char::from(digit - 1)));
        }
    }
    choices.push(digits);
    choices.join("|")
}

fn parent() -> Value {
    let pattern = json!({ "type": "string", "minLength": 1, "maxLength": LONGEST_PATTERN });
    let owner = matching(format!("^([0-9]{{12}}|{})$", OWNERS.join("|")));
    let mut schema = mapping(
        &[],
        [
            ("ssm", described("Name of an SSM parameter that holds an AMI id.", matching("^/"))),
            ("ami", described("An AMI id.", matching("^ami-([0-9A-Fa-f]{8}|[0-9A-Fa-f]{17})$"))),
            (
                "image",
                described(
                    "ARN of an Image Builder image.",
                    json!({
                        "type": "string", "pattern": "^arn:",
                        "allOf": [{ "pattern": ":imagebuilder:" }, { "pattern": ":image/" }],
                    }),
                ),
            ),
            ("name", described("Pattern of AMI names; the newest is taken. Needs `owner`.", pattern)),
            ("owner", described("Who must own an AMI found by `name`: an account, or an alias.", owner)),
            ("recipe", described("Another recipe of the project whose image this one starts from.", text())),
            ("channel", described("Channel of `recipe` whose release is meant; its newest image when absent.", text())),
            ("local", local()),
        ],
    );
    schema["oneOf"] = REFERENCES.iter().map(|key| json!({ "required": [key] })).collect();
    schema["dependencies"] = json!({ "name": ["owner"], "owner": ["name"], "channel": ["recipe"] });
    described("The image to start from: one of `ssm`, `ami`, `image`, `name` and `recipe`.", schema)
}

/// Workflows: names, or names with settings. That there is one build workflow, and settings of test workflows with those
/// only, is for the reader.
fn workflows() -> Value {
    let value = json!({ "type": ["string", "number", "boolean"] });
    let list = json!({ "type": "array", "items": value.clone() });
    let settings = mapping(
        &[],
        [
            (
                "parameters",
                described(
                    "Parameters of the workflow: single values, or lists of them.",
                    json!({ "type": ["object", "null"], "additionalProperties": { "anyOf": [value, list] } }),
                ),
            ),
            ("parallel_group", described("Test workflows that run at the same time.", matching(GROUP))),
            (
                "on_failure",
                described(
                    "Whether an image may become available though this test workflow failed.",
                    default(ON_FAILURE[0], json!({ "enum": ON_FAILURE })),
                ),
            ),
        ],
    );
    let one = json!({
        "type": "object", "minProperties": 1, "maxProperties": 1,
        "propertyNames": { "pattern": reference_pattern() }, "additionalProperties": or_nothing(settings),
    });
    let items = json!({ "anyOf": [matching(reference_pattern()), one] });
    described(
        "Workflows in place of the service's own: build/NAME, test/NAME, distribution/NAME, aws/KIND/NAME.",
        json!({ "type": "array", "maxItems": MOST, "items": items }),
    )
}

fn pipeline() -> Value {
    let zone = json!({
        "type": "string", "pattern": TIMEZONE, "minLength": TIMEZONE_LENGTH.0, "maxLength": TIMEZONE_LENGTH.1,
    });
    let mut schema = mapping(
        &[],
        [
            (
                "schedule",
                described("When it starts: cron(0 4 ? * TUE *) or rate(7 days).", matching(schedule_pattern())),
            ),
            ("timezone", described("IANA name of the schedule's time zone.", default("UTC", zone))),
            (
                "start",
                described(
                    "Whether a scheduled run takes place only when a component or the parent image is newer.",
                    default(STARTS[0], json!({ "enum": STARTS })),
                ),
            ),
            ("disable_after", described("Failed runs in a row that disable it.", number(FAILURES))),
            ("enabled", described("Whether it starts by itself.", flag(true))),
        ],
    );
    schema["dependencies"] = json!({ "timezone": ["schedule"], "start": ["schedule"], "disable_after": ["schedule"] });
    described("A pipeline of Image Builder that builds the recipe by itself.", or_nothing(schema))
}

/// A path that can be a file of a project.
const PATH: &str = "^[^\\u0000-\\u001f]+$";

/// What registries take for a reference: host, name, tag, digest.
const REFERENCE: &str = "^((localhost|[A-Za-z0-9\\[][A-Za-z0-9.:\\[\\]-]*[.:][A-Za-z0-9.:\\[\\]-]*)/)?\
    [a-z0-9]([a-z0-9._-]*[a-z0-9])?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?\
    (@sha256:[0-9a-f]{64})?$";

fn local() -> Value {
    let package = matching("^[a-z0-9][a-z0-9+.-]+$");
    let mut schema = mapping(
        &[],
        [
            ("bootstrap", described("Debian or Ubuntu release to make a root filesystem of.", text())),
            ("packages", described("Packages on top of the smallest set.", texts(&package))),
            (
                "mirror",
                described(
                    "Package mirror to make it from; this machine's when absent.",
                    matching("^(https?|file):/[!-~]+$"),
                ),
            ),
            ("oci", described("Image of a registry, fetched by skopeo, podman or docker.", matching(REFERENCE))),
            (
                "image",
                described(
                    "OCI layout or file of `docker save`, relative to the project; PATH#NAME.",
                    matching("^[^#\\u0000-\\u001f]+(#[^#\\u0000-\\u001f]+)?$"),
                ),
            ),
            ("tar", described("Tar of a root filesystem, relative to the project.", matching(PATH))),
            ("directory", described("Folder with a root filesystem, relative to the project.", matching(PATH))),
        ],
    );
    // Each excludes all others.
    let alternatives = SOURCES.iter().map(|key| {
        let others = SOURCES.iter().filter(|other| *other != key);
        let mut properties: Map<String, Value> = others.map(|other| ((*other).to_owned(), json!(false))).collect();
        if *key != "bootstrap" {
            properties.extend([("packages".to_owned(), json!({ "maxItems": 0 })), ("mirror".to_owned(), json!(false))]);
        }
        json!({ "required": [key], "properties": properties })
    });
    schema["oneOf"] = alternatives.collect();
    described("How the parent is made on this machine, without an account.", schema)
}

/// Components of one stage.
fn uses(summary: &str) -> Value {
    described(summary, json!({ "type": "array", "maxItems": MOST_COMPONENTS, "uniqueItems": true, "items": used() }))
}

/// The name of a component, or one name with its parameters.
fn used() -> Value {
    let value = json!({ "type": ["string", "number", "boolean"], "minLength": 1, "maxLength": LONGEST_VALUE });
    let parameters = json!({ "type": ["object", "null"], "additionalProperties": value });
    json!({ "type": ["string", "object"], "minProperties": 1, "maxProperties": 1, "additionalProperties": parameters })
}

fn patch_overrides() -> Value {
    let long = |mut schema: Value| {
        schema["maxLength"] = LONGEST_VALUE.into();
        schema
    };
    let part = r"([^/.\u0000-\u001f\u007f][^/\u0000-\u001f\u007f]*|\.[^/.\u0000-\u001f\u007f][^/\u0000-\u001f\u007f]*|\.\.[^/\u0000-\u001f\u007f]+)";
    let file = matching(format!("^{part}(/{part})*$"));
    let url = mapping(
        &["url", "sha256"],
        [
            ("url", described("Where the list is.", long(matching("^https://[!-~]+$")))),
            ("sha256", described("SHA-256 of the list.", matching("^[0-9a-f]{64}$"))),
        ],
    );
    let s3 = mapping(
        &["s3", "owner"],
        [
            ("s3", described("Bucket and key of the list.", long(matching("^s3://[!-.0-~]+/[!-~]+$")))),
            ("owner", described("Account of the bucket, in quotes.", matching("^[0-9]{12}$"))),
        ],
    );
    let summary = "Install override list: exactly what the patch component updates, whatever the baseline says. A file of the \
                   project, or one of another place with the proof that it is the one that is meant.";
    described(summary, json!({ "anyOf": [file, url, s3] }))
}

fn hooks() -> Value {
    // What begins with a slash is a path in the image.
    let mut hook = used();
    let path = r"^($|[^/]|/[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]+$)";
    hook["allOf"] =
        json!([{ "pattern": path }, { "anyOf": [{ "pattern": "^($|[^/])" }, { "maxLength": LONGEST_VALUE }] }]);
    let hook = |summary: &str| described(summary, hook.clone());
    let schema = mapping(
        &[],
        [
            ("before_patch", hook("Runs directly before the patch component.")),
            ("after_patch", hook("Runs directly after it, after the restart it may have wanted.")),
        ],
    );
    let summary = "What runs around patching: a component, with or without parameters, or the absolute path of an executable \
                   in the image. One that fails fails the build.";
    described(summary, or_nothing(schema))
}

fn baseline() -> Value {
    described("Patch baseline: an AWS-owned one, or a file in baselines/ without its ending.", text())
}

fn root_volume() -> Value {
    let schema = mapping(
        &[],
        [
            ("size_gib", described("Size in GiB.", number(VOLUME_SIZES))),
            ("type", described("Volume type.", default("gp3", json!({ "enum": VOLUME_TYPES })))),
            ("encrypted", described("Whether the image is encrypted.", flag(true))),
        ],
    );
    described("The root volume of the image.", or_nothing(schema))
}

fn promote() -> Value {
    let names = |usual: &str| {
        let list = json!({ "type": "array", "uniqueItems": true, "items": text() });
        default(usual, json!({ "anyOf": [text(), list] }))
    };
    let mut schema = mapping(
        &[],
        [
            ("launch_template", described("Launch template to move, or a list of them.", names(USUAL_TEMPLATE))),
            ("parameter", described("SSM parameter to move, or a list of them.", names(USUAL_PARAMETER))),
        ],
    );
    let none = json!({ "const": [] });
    schema["not"] = json!({
        "type": "object",
        "required": ["launch_template", "parameter"],
        "properties": { "launch_template": none, "parameter": none },
    });
    described(
        "What a promotion moves; `{{ name }}`, `{{ arch }}` and `{{ channel }}` are replaced.",
        or_nothing(schema),
    )
}

/// What several keys must fulfil together.
fn demands() -> Value {
    let tested = json!({ "required": ["test"], "properties": { "test": { "minItems": 1 } } });
    let mut demands = vec![
        json!({
            "if": { "required": ["gates"], "properties": { "gates": { "required": ["tests"] } } },
            "then": tested,
        }),
        json!({
            "if": { "required": ["parent"], "properties": { "parent": { "required": ["ami"] } } },
            "then": { "properties": { "architectures": { "maxItems": 1 } } },
        }),
    ];
    for os in Os::all() {
        let architectures: Vec<&str> = os.architectures().iter().map(|arch| arch.name()).collect();
        let bootstrap = os.release().map_or(json!(false), |release| json!({ "const": release }));
        let local = json!({ "properties": { "bootstrap": bootstrap } });
        demands.push(json!({
            "if": { "required": ["os"], "properties": { "os": { "const": os.name() } } },
            "then": { "properties": {
                "architectures": { "items": { "enum": architectures } },
                "parent": { "properties": { "local": local } },
                "baseline": { "default": os.default_baseline() },
                "root_volume": { "properties": { "size_gib": { "default": os.default_root_gib() } } },
            } },
        }));
    }
    demands.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_for_numbers_up_to_one() {
        for largest in [10, 57, 109, 1_000, LARGEST_VERSION] {
            let pattern = regex_lite::Regex::new(&format!("^({})$", at_most(largest))).unwrap();
            for number in (0..2_000).chain(largest.saturating_sub(1_000)..=largest + 1_000) {
                assert_eq!(pattern.is_match(&number.to_string()), number <= largest, "{number} of {largest}");
            }
            assert!(!pattern.is_match("01") && !pattern.is_match("") && !pattern.is_match("9999999999"));
        }
    }
}
