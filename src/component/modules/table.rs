//! The table itself.

use super::Platform::{Linux, MacOs, Windows};
use super::{Action, Input, Module, Output, Platform, Rule, Shape, Type};

const EVERYWHERE: &[Platform] = &[Linux, Windows, MacOs];
const UNIX: &[Platform] = &[Linux, MacOs];
const SERVERS: &[Platform] = &[Linux, Windows];
const WINDOWS: &[Platform] = &[Windows];

const fn required(name: &'static str, kind: Type, summary: &'static str) -> Input {
    Input { name, kind, required: true, default: None, summary }
}

const fn optional(name: &'static str, kind: Type, summary: &'static str) -> Input {
    Input { name, kind, required: false, default: None, summary }
}

const fn default(name: &'static str, kind: Type, value: &'static str, summary: &'static str) -> Input {
    Input { name, kind, required: false, default: Some(value), summary }
}

const fn output(name: &'static str, summary: &'static str) -> Output {
    Output { name, summary }
}

const PATH: Input = required("path", Type::Text, "Absolute, or relative to the working directory.");
const CONTENT: Input = default("content", Type::Text, "", "What to write.");
const ENCODING: Input = default("encoding", Type::Encoding, "utf8", "How text is stored.");
const OVERWRITE: Input = default("overwrite", Type::Boolean, "true", "Whether something that exists may be replaced.");
const OWNER: Input = optional("owner", Type::Text, "User who owns it; the current user when not given.");
const GROUP: Input = optional("group", Type::Text, "Group that owns it; the current group when not given.");
const NEW_OWNER: Input = required("owner", Type::Text, "User who is to own it.");
const NEW_GROUP: Input =
    optional("group", Type::Text, "Group that is to own it; the owner's primary group when not given.");
const NEW_PERMISSIONS: Input = required("permissions", Type::Permissions, "Permission bits in octal.");
const RECURSIVE: Input = default("recursive", Type::Boolean, "true", "Whether everything below changes too.");
const BUCKET_OWNER: Input = optional("expectedBucketOwner", Type::Text, "Account that must own the bucket.");
const STDOUT: &[Output] = &[output("stdout", "Standard output without trailing white space.")];
const COPY: &[Input] = &[
    required("source", Type::Text, "What to copy; `*` is allowed in the last part."),
    required("destination", Type::Text, "New path; with a trailing separator the folder to copy into."),
    OVERWRITE,
];
const MOVE: &[Input] = &[
    required("source", Type::Text, "What to move; `*` is allowed in the last part."),
    required("destination", Type::Text, "New path; with a trailing separator the folder to move into."),
    OVERWRITE,
];
const MSI: &[Input] = &[
    required("path", Type::Text, "Local path, `s3://` or web address of the package."),
    default("reboot", Type::OneOf(&["Allow", "Force", "Skip"]), "Allow", "Whether to restart afterwards."),
    default("logOptions", Type::Text, "*VX", "Letters for msiexec's `/L`."),
    optional("logFile", Type::Text, "Where msiexec writes its log; without it none is kept."),
    optional("properties", Type::Properties, "Properties handed to the package."),
    default("ignoreAuthenticodeSignatureErrors", Type::Boolean, "false", "Install in spite of a bad signature."),
    default("allowUnsignedInstaller", Type::Boolean, "false", "Install without a signature."),
];
const MSI_OUTPUTS: &[Output] = &[
    output("logFile", "Path of the log."),
    output("msiExitCode", "Exit code of msiexec."),
    output("stdout", "Standard output."),
];

/// A module with [`Shape::List`] inputs and no rules.
const fn list(
    action: Action,
    name: &'static str,
    platforms: &'static [Platform],
    inputs: &'static [Input],
    outputs: &'static [Output],
    summary: &'static str,
) -> Module {
    Module { action, name, platforms, shape: Shape::List, inputs, rules: &[], outputs, summary }
}

/// A module with [`Shape::Map`] inputs and no rules.
const fn map(
    action: Action,
    name: &'static str,
    platforms: &'static [Platform],
    inputs: &'static [Input],
    outputs: &'static [Output],
    summary: &'static str,
) -> Module {
    Module { action, name, platforms, shape: Shape::Map, inputs, rules: &[], outputs, summary }
}

/// All action modules, sorted by name.
pub const MODULES: &[Module] = &[
    list(
        Action::AppendFile,
        "AppendFile",
        EVERYWHERE,
        &[PATH, CONTENT, ENCODING],
        &[],
        "Adds text to a file that exists.",
    ),
    Module {
        action: Action::Assert,
        name: "Assert",
        platforms: EVERYWHERE,
        shape: Shape::Condition,
        inputs: &[],
        rules: &[],
        outputs: &[],
        summary: "Fails unless a condition holds.",
    },
    list(Action::CopyFile, "CopyFile", EVERYWHERE, COPY, &[], "Copies files."),
    list(Action::CopyFolder, "CopyFolder", EVERYWHERE, COPY, &[], "Copies folders with all they hold."),
    list(
        Action::CreateFile,
        "CreateFile",
        EVERYWHERE,
        &[
            PATH,
            CONTENT,
            ENCODING,
            OWNER,
            GROUP,
            optional("permissions", Type::Permissions, "Permission bits in octal; 0666 less the umask when not given."),
            OVERWRITE,
        ],
        &[],
        "Writes a file.",
    ),
    list(
        Action::CreateFolder,
        "CreateFolder",
        EVERYWHERE,
        &[
            PATH,
            OWNER,
            GROUP,
            optional("permissions", Type::Permissions, "Permission bits in octal; 0777 less the umask when not given."),
            OVERWRITE,
        ],
        &[],
        "Makes a folder and those above it.",
    ),
    list(
        Action::CreateSymlink,
        "CreateSymlink",
        UNIX,
        &[
            required("path", Type::Text, "The link."),
            required("target", Type::Text, "What it points to; must exist."),
            default("force", Type::Boolean, "false", "Whether an existing link may be replaced."),
        ],
        &[],
        "Makes a symbolic link.",
    ),
    list(
        Action::DeleteFile,
        "DeleteFile",
        EVERYWHERE,
        &[
            required("path", Type::Text, "The file; `*` is allowed in its name."),
            // Not in the user guide, but in AWS's own samples, so the service takes it.
            default("force", Type::Boolean, "false", "Not documented; taken and without a known effect."),
        ],
        &[],
        "Removes files.",
    ),
    list(
        Action::DeleteFolder,
        "DeleteFolder",
        EVERYWHERE,
        &[PATH, default("force", Type::Boolean, "false", "Whether to remove it with all it holds.")],
        &[],
        "Removes a folder.",
    ),
    map(
        Action::ExecuteBash,
        "ExecuteBash",
        UNIX,
        &[required("commands", Type::Texts, "Lines of one script.")],
        STDOUT,
        "Runs a script with bash; exit code 194 asks for a reboot.",
    ),
    map(
        Action::ExecuteBinary,
        "ExecuteBinary",
        EVERYWHERE,
        &[
            required("path", Type::Text, "The program."),
            optional("arguments", Type::Texts, "Its arguments, without a shell in between."),
        ],
        STDOUT,
        "Runs a program; exit code 194 (Windows: 3010) asks for a reboot.",
    ),
    map(
        Action::ExecuteDocument,
        "ExecuteDocument",
        EVERYWHERE,
        &[
            required("document", Type::Text, "Local path, `s3://` address or component build version ARN."),
            optional("document-s3-bucket-owner", Type::Text, "Account that must own the bucket."),
            optional("phases", Type::Text, "Phases to run, separated by commas; all when not given."),
            optional("parameters", Type::Parameters, "Values for its parameters."),
        ],
        &[
            output("executionId", "Id of the nested execution."),
            output("status", "How it ended."),
            output("executedStepCount", "Steps that ran."),
            output("failedStepCount", "Steps that failed."),
            output("ignoredFailedStepCount", "Failures that were ignored."),
            output("failureMessage", "Why it failed."),
            output("logUrl", "Where its log is."),
        ],
        "Runs another component document.",
    ),
    Module {
        action: Action::ExecutePowerShell,
        name: "ExecutePowerShell",
        platforms: WINDOWS,
        shape: Shape::Map,
        inputs: &[
            optional("commands", Type::Texts, "Lines of one script."),
            optional("file", Type::Text, "Path of a `.ps1` script."),
        ],
        rules: &[Rule::ExactlyOne(&["commands", "file"])],
        outputs: STDOUT,
        summary: "Runs a script with PowerShell; exit code 3010 asks for a reboot.",
    },
    map(Action::InstallMsi, "InstallMSI", WINDOWS, MSI, MSI_OUTPUTS, "Installs a Windows package."),
    list(
        Action::ListFiles,
        "ListFiles",
        EVERYWHERE,
        &[
            required("path", Type::Text, "The folder."),
            default("fileNamePattern", Type::Text, "*", "Names to list; `*` stands for any text."),
            default("recursive", Type::Boolean, "false", "Whether to look into folders below."),
        ],
        &[output("files", "Paths of the files, separated by commas.")],
        "Lists files.",
    ),
    list(Action::MoveFile, "MoveFile", EVERYWHERE, MOVE, &[], "Moves files."),
    list(Action::MoveFolder, "MoveFolder", EVERYWHERE, MOVE, &[], "Moves folders."),
    list(
        Action::ReadFile,
        "ReadFile",
        EVERYWHERE,
        &[
            PATH,
            ENCODING,
            default("printFileContent", Type::Boolean, "false", "Whether the content is written to the log as well."),
        ],
        &[output("content", "The text of the file.")],
        "Reads a text file.",
    ),
    map(
        Action::Reboot,
        "Reboot",
        SERVERS,
        &[default("delaySeconds", Type::Count, "0", "How long to wait first.")],
        &[],
        "Restarts the machine and goes on with the next step.",
    ),
    list(
        Action::S3Download,
        "S3Download",
        EVERYWHERE,
        &[
            required("source", Type::Text, "`s3://bucket/key`, or a prefix that ends in `/*`."),
            required("destination", Type::Text, "File for one object, folder for a prefix."),
            BUCKET_OWNER,
            OVERWRITE,
        ],
        &[],
        "Fetches objects from S3.",
    ),
    list(
        Action::S3Upload,
        "S3Upload",
        EVERYWHERE,
        &[
            required("source", Type::Text, "File, wildcard or folder."),
            required("destination", Type::Text, "`s3://bucket/key` or prefix."),
            default("recurse", Type::BooleanText, "false", "Must be true for a folder."),
            BUCKET_OWNER,
        ],
        &[],
        "Stores files in S3.",
    ),
    list(
        Action::SetFileEncoding,
        "SetFileEncoding",
        EVERYWHERE,
        &[PATH, ENCODING],
        &[],
        "Converts a UTF-8 file to another encoding.",
    ),
    list(Action::SetFileOwner, "SetFileOwner", UNIX, &[PATH, NEW_OWNER, NEW_GROUP], &[], "Changes who owns a file."),
    list(
        Action::SetFilePermissions,
        "SetFilePermissions",
        UNIX,
        &[PATH, NEW_PERMISSIONS],
        &[],
        "Changes the permission bits of a file.",
    ),
    list(
        Action::SetFolderOwner,
        "SetFolderOwner",
        UNIX,
        &[PATH, NEW_OWNER, NEW_GROUP, RECURSIVE],
        &[],
        "Changes who owns a folder.",
    ),
    list(
        Action::SetFolderPermissions,
        "SetFolderPermissions",
        UNIX,
        &[PATH, NEW_PERMISSIONS, RECURSIVE],
        &[],
        "Changes the permission bits of a folder.",
    ),
    list(
        Action::SetRegistry,
        "SetRegistry",
        WINDOWS,
        &[
            required("path", Type::Text, "Key, beginning with a hive such as `HKEY_LOCAL_MACHINE` or `HKLM:`."),
            required("name", Type::Text, "Name of the value."),
            required("value", Type::Registry, "The value."),
            required(
                "type",
                Type::OneOf(&["BINARY", "DWORD", "QWORD", "SZ", "EXPAND_SZ", "MULTI_SZ"]),
                "Type of the value.",
            ),
        ],
        &[],
        "Sets a registry value.",
    ),
    map(Action::UninstallMsi, "UninstallMSI", WINDOWS, MSI, MSI_OUTPUTS, "Removes a Windows package."),
    map(
        Action::UpdateOs,
        "UpdateOS",
        SERVERS,
        &[
            optional("include", Type::Texts, "Packages to update; all when not given."),
            optional("exclude", Type::Texts, "Packages to leave as they are."),
        ],
        &[],
        "Installs the updates of the operating system; restarts when they need it.",
    ),
    Module {
        action: Action::WebDownload,
        name: "WebDownload",
        platforms: EVERYWHERE,
        shape: Shape::List,
        inputs: &[
            required("source", Type::Text, "Web address."),
            required("destination", Type::Text, "File; with a trailing separator the folder."),
            OVERWRITE,
            optional("checksum", Type::Text, "Expected checksum in hexadecimal."),
            optional("algorithm", Type::OneOf(&["MD5", "SHA1", "SHA256", "SHA512"]), "How the checksum was made."),
            default("ignoreCertificateErrors", Type::Boolean, "false", "Accept any certificate."),
        ],
        rules: &[Rule::Together(&["checksum", "algorithm"])],
        outputs: &[output("destination", "Paths of what was fetched, one per line.")],
        summary: "Fetches files from the web.",
    },
];
