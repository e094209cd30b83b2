//! The codes of this room, and what `amiforge explain` says about them.

use crate::diagnostic::catalogue::Entry;

pub(super) const UNREADABLE: &str = "P001";
pub(super) const UNKNOWN_KEY: &str = "P002";
pub(super) const WRONG_TYPE: &str = "P003";
pub(super) const MISSING: &str = "P004";
pub(super) const NOT_ALLOWED: &str = "P005";
pub(super) const DURATION: &str = "P006";
pub(super) const VERSION: &str = "P007";
pub(super) const UNKNOWN_COMPONENT: &str = "P008";
pub(super) const TWICE: &str = "P009";
pub(super) const TOO_MANY: &str = "P010";
pub(super) const CHANNEL_ORDER: &str = "P011";
pub(super) const FILE_NAME: &str = "P012";
pub(super) const NAME: &str = "P013";
pub(super) const LOCATION: &str = "P014";
pub(super) const ELSEWHERE: &str = "P015";
pub(super) const NO_GATE: &str = "P016";
pub(crate) const STAGE: &str = "P017";
pub(super) const UNKNOWN_BASELINE: &str = "P018";
pub(crate) const PARAMETER: &str = "P019";
pub(super) const COLLISION: &str = "P020";
pub(super) const PARENT: &str = "P021";
pub(super) const PLATFORM: &str = "P022";
pub(super) const RULE: &str = "P023";
pub(super) const UNUSED: &str = "P024";
pub(super) const PATCHING: &str = "P025";
pub(super) const NOT_KEPT_OUT: &str = "P026";
pub(super) const SCHEDULE: &str = "P027";
pub(super) const WORKFLOW: &str = "P028";
pub(super) const WEAKER: &str = "P040";
pub(super) const WAIVER: &str = "P041";
pub(super) const SIGNING: &str = "P042";

/// The entries of the P codes.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: UNREADABLE,
        title: "a file of the project cannot be read",
        explanation: "A project is a folder with amiforge.yaml. Every file that belongs to it has to be readable and in \
                      UTF-8, because a file that cannot be read might hold exactly the rule that matters. `amiforge init` \
                      writes a first project.",
    },
    Entry {
        code: UNKNOWN_KEY,
        title: "unknown key",
        explanation: "The key is not one amiforge knows at this place. It is refused and not ignored, because a misspelled \
                      key would silently leave its default in force. The message lists the keys that are known here.",
    },
    Entry {
        code: WRONG_TYPE,
        title: "wrong type of value",
        explanation: "Another kind of value is expected here: text, a whole number, true or false, a list or a mapping. Text \
                      that looks like a number, a boolean or nothing has to stand in quotes, because YAML readers change it \
                      otherwise: 1.10 becomes 1.1, 012 becomes 10, no becomes false.",
    },
    Entry {
        code: MISSING,
        title: "a key is missing",
        explanation: "The key has no default that would be right for everybody. In a recipe these are `os` and `parent`; in \
                      amiforge.yaml it is `project`, and for an environment on AWS `home` with account and region.",
    },
    Entry {
        code: NOT_ALLOWED,
        title: "the value is not one of those allowed",
        explanation: "The value stands in a fixed set or range, which the message names: operating systems, architectures, \
                      volume types, severities, sizes. Spelling counts, letter case too.",
    },
    Entry {
        code: DURATION,
        title: "not a duration",
        explanation: "Durations are numbers with units, larger ones first and each once: 90m, 24h, 14d, 1h30m, 2w. Units are \
                      w, d, h, m and s. A bare number is refused because its unit would be a guess.",
    },
    Entry {
        code: VERSION,
        title: "not a version",
        explanation: "`version` is the major and minor number of the image as text in quotes, for example \"1.0\". The third \
                      number follows the content by itself. Without quotes YAML reads 1.10 as the number 1.1, and version \
                      1.10 would become 1.1 again without anybody noticing. Both numbers are below 2^30, as in Image Builder.",
    },
    Entry {
        code: UNKNOWN_COMPONENT,
        title: "unknown component",
        explanation: "The name under `build` or `test` is neither a component of the project (components/NAME.yaml or \
                      templates/components/NAME.yaml.hbs) nor one that comes with amiforge.",
    },
    Entry {
        code: TWICE,
        title: "the same thing stands here twice",
        explanation: "Image Builder refuses a recipe that names a component more than once, in the build and the test stage \
                      taken together; architectures, targets and file names are equally unique. Merge the two, or give the \
                      second one a name of its own.",
    },
    Entry {
        code: TOO_MANY,
        title: "more than 20 components",
        explanation: "Image Builder allows 20 components in a recipe (quota \"components per recipe\"), build and test \
                      together. Several short components can be one document with several steps.",
    },
    Entry {
        code: CHANNEL_ORDER,
        title: "a channel follows one that does not come before it",
        explanation: "Channels stand in the order in which a release moves through them; `after` names an earlier one. \
                      `soak` says how long a release stays in that earlier channel first and needs `after`.",
    },
    Entry {
        code: FILE_NAME,
        title: "the name differs from the file's name",
        explanation: "A recipe is found by its file: recipes/NAME.yaml holds the recipe NAME. If both could differ, commands \
                      and messages would speak of two things.",
    },
    Entry {
        code: NAME,
        title: "the name cannot be used",
        explanation: "Names become part of Image Builder resource names (3 to 128 characters; the service turns them to lower \
                      case and blanks and underscores to hyphens, so that two spellings would collide), of tags and of \
                      parameter paths. amiforge takes lower-case letters, digits and hyphens, in recipe names dots too, \
                      beginning and ending with a letter or digit.",
    },
    Entry {
        code: LOCATION,
        title: "not an account or not a Region",
        explanation: "An account is twelve digits in quotes (without them YAML readers drop leading zeros or read octal); a \
                      Region is written like us-east-1.",
    },
    Entry {
        code: ELSEWHERE,
        title: "the key stands in another file",
        explanation: "Waivers stand in waivers.yaml or in files of the folder waivers/, one list for the whole project, so that \
                      everybody finds them: recipes only name gates. A waiver can be for one recipe by its key `recipe`.",
    },
    Entry {
        code: NO_GATE,
        title: "no gate, or a gate nothing can pass",
        explanation: "At least one gate has to be present: a promotion without any check would be an approval of nothing. \
                      Likewise `tests: required` needs a component under `test`. Leave `gates` out to get the defaults: no \
                      missing and no rejected patches, scanned within 24h, tests required, at most 14 days old.",
    },
    Entry {
        code: STAGE,
        title: "component in the wrong stage",
        explanation: "Image Builder derives from its phases what a component is: one with only a `test` phase is a test \
                      component and does nothing in the build stage; one without a `test` phase does nothing in the test \
                      stage. A step that looks done and never ran is worse than an error.",
    },
    Entry {
        code: UNKNOWN_BASELINE,
        title: "unknown patch baseline",
        explanation: "`baseline` names an AWS-owned baseline (AWS-DebianDefaultPatchBaseline, ...) or a file in baselines/ \
                      without its ending. Left out, it is the AWS-owned baseline of the operating system.",
    },
    Entry {
        code: PARAMETER,
        title: "parameters do not fit the component",
        explanation: "A recipe may only pass parameters that the component declares, and has to pass those without a default; \
                      the service refuses the recipe otherwise. A value has at most 1,024 characters and all values of a \
                      recipe together at most 25 KB.",
    },
    Entry {
        code: COLLISION,
        title: "two things get the same name",
        explanation: "Two files define the same component, or two names become the same resource name: Image Builder turns \
                      names to lower case and underscores and blanks to hyphens, and amiforge turns dots to hyphens.",
    },
    Entry {
        code: PARENT,
        title: "the parent image is not well described",
        explanation: "`parent` has exactly one of `ssm` (a parameter name that begins with a slash), `ami` (ami-...) or \
                      `image` (an Image Builder image ARN), and may have `local` with exactly one of `bootstrap` (the \
                      code name of a Debian or Ubuntu release, with `packages` and `mirror`), `oci` (an image of a registry, \
                      amazonlinux:2023), `image` (a file of `docker save` or an OCI layout, PATH#NAME), `tar` and \
                      `directory`. An AMI id belongs to one architecture.",
    },
    Entry {
        code: PLATFORM,
        title: "one component for Linux and Windows",
        explanation: "A component resource has one platform. A component document that recipes of both platforms use would \
                      have to be two resources with the same name.",
    },
    Entry {
        code: RULE,
        title: "a rule cannot be set like this",
        explanation: "`lint.rules` gives rules, by id or name, one of the levels off, note, warning and error. A rule that \
                      reports what the service refuses stays an error: to lower it would only move the failure to the build, \
                      half an hour later. `amiforge explain` lists all rules, `amiforge explain S014` says what one is about.",
    },
    Entry {
        code: UNUSED,
        title: "a component that no recipe uses",
        explanation: "A component of the project stands in no recipe, so it is never built into an image. Perhaps its name is \
                      misspelled in a recipe, perhaps it can go. A built-in component of the same name is hidden by it.",
    },
    Entry {
        code: PATCHING,
        title: "patch overrides or hooks do not fit the recipe",
        explanation: "`patch_overrides` and `hooks` act on the patch component of the recipe (patch-linux or patch-windows under \
                      `build`): the list says what it updates, and hooks run directly before and after it. So there has to be \
                      one, and the same must not be said a second time by a parameter of its own. On Windows the list is a \
                      file of the project with KB numbers, because the update agent reads no lists.",
    },
    Entry {
        code: NOT_KEPT_OUT,
        title: "a rejected patch that cannot be kept out of a build",
        explanation: "What the baseline of a recipe rejects is kept out when the image is patched, by what the package manager \
                      has for it: pins of apt, excludes of dnf, locks of zypper, KB numbers on Windows. zypper knows exact \
                      editions and no ranges, Windows no bulletin ids. The scan of the new image still judges by the entry, so \
                      a build may end in a candidate that the gate `rejected` does not let pass.",
    },
    Entry {
        code: SCHEDULE,
        title: "not a schedule or not a time zone",
        explanation: "A pipeline starts by a schedule of EventBridge: cron(minutes hours day-of-month month day-of-week year) \
                      with exactly one of the two days given as ?, names of months and days in capitals, or rate(7 days). Image \
                      Builder refuses the five-field form. Time zones are IANA names such as Europe/Berlin; without one the \
                      times are UTC.",
    },
    Entry {
        code: WORKFLOW,
        title: "a workflow cannot be used",
        explanation: "A recipe with `workflows` has none of Image Builder's own: one build workflow has to be listed, test \
                      workflows when the recipe has tests, at most one for the distribution, ten in all. Own ones are documents \
                      in workflows/build, workflows/test and workflows/distribution; those of AWS begin with aws/, for example \
                      aws/build/build-image. Image Builder runs them with a role, `infrastructure.execution_role` of the \
                      environment. The documents are checked as the service checks them.",
    },
    Entry {
        code: WEAKER,
        title: "a recipe weakens a required gate",
        explanation: "amiforge.yaml names gates under `gates.required`: they hold for every recipe. A recipe may make such a gate \
                      stricter (fewer missing patches, a younger scan, more packages that must be there) and may not make it \
                      weaker or leave it out with `without`. Whoever wants less for one image changes the project's policy, where \
                      everybody sees it.",
    },
    Entry {
        code: WAIVER,
        title: "a waiver cannot be used",
        explanation: "A waiver accepts one finding for a while: `gate` and `finding` match exactly (a CVE id, the name of a patch \
                      or of a package, the name of a rule), `recipe`, `package` and `version` narrow it. It has an owner, a reason \
                      and a date after which it does not count any more; without them nobody could ask, understand or end it. \
                      Findings of gates that amiforge.yaml requires with `waivable: false` cannot be waived.",
    },
    Entry {
        code: SIGNING,
        title: "the signing of evidence is not well described",
        explanation: "`signing.key` is the file with the Ed25519 private key that evidence is signed with (PKCS#8, PEM, as \
                      `openssl genpkey -algorithm ed25519` writes it), `signing.kms` a key in KMS that signs instead: of the spec \
                      ECC_NIST_P256 or ECC_NIST_EDWARDS25519, by its id, its ARN or an alias. `signing.trusted` are files with public \
                      keys, `signing.trusted_kms` keys in KMS: with them evidence counts only when one of these keys has signed it. \
                      Paths are relative to the project. Who may move an alias decides who is trusted by it; an ARN is one key \
                      for ever.",
    },
];
