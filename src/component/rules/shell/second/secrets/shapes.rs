//! What a secret looks like.

use super::tokens::shaped;
use std::ops::Range;

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Where it stands in the text.
    pub range: Range<usize>,
    /// What it is, as the subject of a sentence. Never the secret itself.
    pub what: String,
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A script of bash.
    Bash,
    /// A script of PowerShell.
    PowerShell,
    /// Any other text: a file, an argument.
    Plain,
}

/// Words that stand where a password may stand, and are none.
const WORDS: &[&str] = &[
    "true",
    "false",
    "yes",
    "no",
    "none",
    "null",
    "nil",
    "required",
    "requisite",
    "sufficient",
    "optional",
    "include",
    "prompt",
    "stdin",
    "file",
    "default",
    "disabled",
    "enabled",
    "locked",
    "empty",
    "string",
    "text",
    "never",
    "always",
    "prohibit-password",
    "without-password",
    "sha512",
    "sha256",
    "yescrypt",
    "unset",
    "random",
    "generated",
    "undefined",
    "changeit",
    "changeme",
    "change-me",
    "change_me",
    "invalid",
    "missing",
    "expired",
    "failed",
    "unlimited",
];

const PLACEHOLDERS: &[&str] = &[
    "example",
    "placeholder",
    "your",
    "xxx",
    "***",
    "...",
    "redacted",
    "dummy",
    "replace",
    "todo",
    "sample",
    "<",
    ">",
];

/// How much a name says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A password: any text is one.
    Password,
    /// A token or a key, but also the name of one: only what looks random is one.
    Token,
}

/// What a name says about its value, if that is a secret.
pub fn meaning(name: &str) -> Option<Meaning> {
    let words = words(name);
    let last = words.last()?.as_str();
    if matches!(last, "pwd") && words.len() < 2 || matches!(name, "OLDPWD") {
        return None;
    }
    let before = words.len().checked_sub(2).and_then(|at| words.get(at)).map(String::as_str);
    let ends = |end: &str| last.ends_with(end);
    if ends("password") || ends("passwd") || ends("passphrase") || last == "pwd" || (last == "pass" && before.is_some())
    {
        return Some(Meaning::Password);
    }
    let key = last == "key" && matches!(before, Some("api" | "access" | "secret" | "auth" | "private" | "license"));
    let token = ends("token") || ends("secret") || ends("apikey") || ends("secretkey") || ends("accesskey");
    (key || token || matches!(last, "credential" | "credentials")).then_some(Meaning::Token)
}

/// The words of a name, in lower case: `DB_PASSWORD`, `dbPassword`, `db-password`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if matches!(c, '_' | '-' | '.') || (c.is_ascii_uppercase() && lower) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.push(c.to_ascii_lowercase()));
        }
        lower = c.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a text may be the secret that a name of this meaning announces.
pub fn is_secret(value: &str, meaning: Meaning) -> bool {
    let lower = value.to_ascii_lowercase();
    let bytes = value.as_bytes();
    let expands =
        bytes.windows(2).any(|pair| pair[0] == b'$' && (pair[1].is_ascii_alphanumeric() || b"_{(".contains(&pair[1])));
    let elsewhere = value.starts_with(['/', '~', '.', '*', '!', '@', '-', '?', '[', '(', '\\'])
        || value.contains("://")
        || value.contains(":\\")
        || lower.starts_with("arn:")
        || lower.starts_with("alias/");
    let filled_in = expands
        || value.contains(['`', '\n'])
        || value.contains("{{")
        || value.contains("%s")
        || value.starts_with('%');
    let placeholder = WORDS.contains(&lower.as_str())
        || PLACEHOLDERS.iter().any(|word| lower.contains(word))
        || bytes.windows(2).all(|pair| pair[0] == pair[1]);
    if elsewhere || filled_in || placeholder {
        return false;
    }
    let digits = bytes.iter().all(u8::is_ascii_digit);
    match meaning {
        Meaning::Password => {
            // A path such as `prod/db/password` is the name of a secret.
            (if digits { bytes.len() >= 6 } else { bytes.len() >= 4 }) && (!value.contains('/') || is_random(value))
        }
        Meaning::Token => is_random(value),
    }
}

/// Long, of letters in both cases and digits, or of hexadecimal digits.
fn is_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_.-".contains(byte));
    let has = |of: fn(&u8) -> bool| bytes.iter().any(of);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let hexadecimal = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        && bytes.iter().filter(|byte| byte.is_ascii_hexdigit()).count() >= 24;
    plain && ((mixed && bytes.len() >= 16) || (hexadecimal && has(u8::is_ascii_digit)))
}

/// Everything in a text that looks like a secret, in order, without overlaps.
pub fn find(text: &str, language: Language) -> Vec<Secret> {
    let mut found = shaped(text);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        found.extend(
            assigned(line, language)
                .into_iter()
                .map(|one| Secret { range: one.range.start + start..one.range.end + start, ..one }),
        );
        start += line.len();
    }
    distinct(found)
}

/// The same without those that overlap an earlier or, at the same place, a better known one.
pub fn distinct(mut found: Vec<Secret>) -> Vec<Secret> {
    // Stable: what has a shape comes first and stays.
    found.sort_by_key(|one| one.range.start);
    let mut end = 0;
    found.retain(|one| {
        let keep = one.range.start >= end;
        end = end.max(one.range.end);
        keep
    });
    found
}

/// `NAME=value`, `name: value`, `"name": "value"` in one line.
fn assigned(line: &str, language: Language) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    for (at, sign) in line.match_indices(['=', ':']) {
        let Some((name, quoted)) = name_before(&line[..at], sign, language) else { continue };
        let Some(meaning) = meaning(name) else { continue };
        let Some(range) = value_behind(line, at + 1, sign, quoted, language) else { continue };
        if line.get(range.clone()).is_some_and(|value| is_secret(value, meaning)) {
            found.push(Secret { range, what: format!("`{name}`") });
        }
    }
    found
}

/// The name before `=` or `:`, and whether it stands in quotes; `None` where that is no assignment.
fn name_before<'l>(left: &'l str, sign: &str, language: Language) -> Option<(&'l str, bool)> {
    if left.ends_with(['=', '!', '<', '>', '+', ':', '?', '$', '~']) {
        return None;
    }
    let left = left.trim_end();
    let quote = left.chars().next_back().filter(|c| matches!(c, '"' | '\''));
    let inside = quote.map_or(left, |_| left[..left.len() - 1].trim_end_matches('\\'));
    let start = inside.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).map_or(0, |at| at + 1);
    // `rfind` gives the start of a character that may be longer than a byte.
    let start = (start..=inside.len()).find(|at| inside.is_char_boundary(*at))?;
    let name = inside[start..].trim_start_matches('-');
    let before = &inside[..start];
    if quote.is_some() && !before.ends_with(quote?) {
        return None;
    }
    let variable = before.ends_with('$') || before.ends_with("${") || before.ends_with("$env:");
    let begins = before.trim().is_empty() || before.trim() == "-" || before.trim_end().ends_with(['{', ',']);
    let allowed = match (language, sign) {
        (Language::PowerShell, _) => true,
        (_, "=") => !variable,
        _ => !variable && (quote.is_some() || begins),
    };
    allowed.then_some((name, quote.is_some()))
}

/// Where the value behind `=` or `:` stands, without its quotes.
fn value_behind(line: &str, from: usize, sign: &str, quoted_name: bool, language: Language) -> Option<Range<usize>> {
    let rest = &line[from..];
    if rest.starts_with(['=', '~', ':']) || (sign == ":" && !quoted_name && !rest.starts_with([' ', '\t'])) {
        return None;
    }
    let start = from + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
    let value = &line[start..];
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inside) = value.strip_prefix(quote) {
            let end = inside.find(quote)?;
            return Some(start + quote.len()..start + quote.len() + end);
        }
    }
    if language == Language::PowerShell {
        return None;
    }
    let whole = value.trim_end();
    let end = if sign == ":" || rest.starts_with([' ', '\t']) {
        // In YAML and INI files the value goes to the end of the line; several words are a sentence.
        let end = whole.find(" #").unwrap_or(whole.len());
        let value = whole[..end].trim_end().trim_end_matches(',');
        if value.contains(char::is_whitespace) {
            return None;
        }
        value.len()
    } else {
        let end = whole.find(|c: char| c.is_whitespace() || ";&|()\"'`,<>}".contains(c)).unwrap_or(whole.len());
        // `SET PASSWORD=PASSWORD("…")` calls something.
        if whole[end..].starts_with('(') {
            return None;
        }
        end
    };
    Some(start..start + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str, language: Language) -> Vec<String> {
        find(text, language).into_iter().map(|one| format!("{}: {}", one.what, &text[one.range])).collect()
    }

    /// Put together here, so that no scanner takes this file for one that leaks.
    fn token(prefix: &str, length: usize) -> String {
        format!("{prefix}{}", "a1B2c3D4e5F6g7H8i9J0".repeat(4)[..length].to_owned())
    }

    #[test]
    fn tokens_are_known_by_their_shape() {
        for (token, what) in [
            (format!("{}Q3EGRY5XWKJ7VN2P", "AKIA"), "an access key id of AWS"),
            (token("ghp_", 36), "a token of GitHub"),
            (token("glpat-", 20), "a token of GitLab"),
            (token("sk_live_", 24), "a key of Stripe"),
            (token("npm_", 36), "a token of npm"),
            (token("hvs.", 24), "a token of Vault"),
            (format!("{}.{}.{}", token("eyJ", 20), token("eyJ", 20), token("", 30)), "a signed token"),
        ] {
            assert_eq!(found(&format!("x '{token}' y"), Language::Plain), [format!("{what}: {token}")]);
        }
        let key = format!("-----BEGIN {}PRIVATE KEY-----\n{}\n", "RSA ", "MIIEpAIBAAKCAQEA".repeat(4));
        assert_eq!(find(&key, Language::Plain).len(), 1);
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "grep -q 'BEGIN PRIVATE KEY' x",
            "-----BEGIN PRIVATE KEY-----\n{{ aws:ssm:/key }}\n",
            "-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEAMIIEpAIBAAKCAQEAMIIEpAIBAAKCAQEA\n",
            "https://user@example.com/a",
            "https://user:$PASSWORD@example.com/a",
            "https://user:{{ Password }}@example.com/a",
            "Authorization: Bearer $TOKEN",
        ] {
            assert_eq!(found(text, Language::Plain), [""; 0], "{text}");
        }
        assert_eq!(found("https://user:hunter2x@example.com/a", Language::Bash).len(), 1);
        assert_eq!(found("curl -H 'Authorization: Bearer 0123456789abcdef01'", Language::Bash).len(), 1);
    }

    #[test]
    fn assignments_are_found() {
        for (text, language, expected) in [
            ("DB_PASSWORD=hunter2", Language::Bash, "`DB_PASSWORD`: hunter2"),
            ("export DB_PASSWORD=\"hunter 2\"", Language::Bash, "`DB_PASSWORD`: hunter 2"),
            ("mysql --password=hunter2 -e x", Language::Bash, "`password`: hunter2"),
            ("password: hunter2", Language::Plain, "`password`: hunter2"),
            ("  - dbPassword: 'hunter2' # x", Language::Plain, "`dbPassword`: hunter2"),
            ("{\"password\": \"hunter2\"}", Language::Plain, "`password`: hunter2"),
            ("echo \"{\\\"password\\\": \\\"hunter2\\\"}\"", Language::Bash, "`password`: hunter2"),
            ("password = hunter2", Language::Plain, "`password`: hunter2"),
            ("$password = 'hunter2'", Language::PowerShell, "`password`: hunter2"),
            ("$env:API_KEY = 'a1B2c3D4e5F6g7H8i9'", Language::PowerShell, "`API_KEY`: a1B2c3D4e5F6g7H8i9"),
            ("API_TOKEN=0123456789abcdef01234567", Language::Bash, "`API_TOKEN`: 0123456789abcdef01234567"),
            (
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
                Language::Plain,
                "`aws_secret_access_key`: wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
            ),
            ("curl 'https://example.com/?password=hunter2&x=1'", Language::Bash, "`password`: hunter2"),
        ] {
            assert_eq!(found(text, language), [expected], "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_is_silent() {
        for text in [
            "DB_PASSWORD=$(cat x)",
            "DB_PASSWORD=\"$1\"",
            "DB_PASSWORD=\"{{ aws:ssm:/db/password }}\"",
            "DB_PASSWORD=",
            "DB_PASSWORD=''",
            "PASSWORD_FILE=/etc/password",
            "DB_PASSWORD=/run/secrets/db",
            "DB_SECRET=prod/db/password",
            "SECRET_NAME=prod-db",
            "TOKEN=file",
            "TOKEN_URL=https://example.com/token",
            "[ \"$password\" = \"hunter2\" ]",
            "[[ $token == abcdef ]]",
            "PWD=/opt",
            "OLDPWD=hunter2",
            "${TOKEN:?must be set}",
            "${PASSWORD:-}",
            "read -rsp 'Password: ' answer",
            "echo \"Invalid token: exiting\"",
            "# password: ask the platform team",
            "password    requisite     pam_pwquality.so retry=3",
            "PasswordAuthentication no",
            "lock_passwd: true",
            "PermitRootLogin=prohibit-password",
            "--token-ttl=3600",
            "password: <your password>",
            "password=changeme",
            "X-aws-ec2-metadata-token: $TOKEN",
            "X-aws-ec2-metadata-token-ttl-seconds: 21600",
            "usermod --password='$6$abc$def' root",
            "minlen=14",
            "UPDATE user SET PASSWORD=PASSWORD(\"$1\")",
            "MIN_PASSWORD=8",
            "arn=arn:aws:secretsmanager:eu-west-1:111122223333:secret:db",
            "api_key: ${API_KEY}",
            "password: '********'",
        ] {
            assert_eq!(found(text, Language::Bash), [""; 0], "{text}");
        }
        for text in
            ["$password = Read-Host", "$token = $x.Token", "if ($password -eq 'hunter2') { a }", "Password: hunter2"]
        {
            assert_eq!(found(text, Language::PowerShell), [""; 0], "{text}");
        }
    }

    #[test]
    fn names_say_what_their_values_are() {
        use Meaning::{Password, Token};
        for (name, expected) in [
            ("DB_PASSWORD", Some(Password)),
            ("rootpasswd", Some(Password)),
            ("DefaultPassword", Some(Password)),
            ("DB_PASS", Some(Password)),
            ("pass", None),
            ("bypass", None),
            ("PWD", None),
            ("ADMIN_PWD", Some(Password)),
            ("GITHUB_TOKEN", Some(Token)),
            ("clientSecret", Some(Token)),
            ("api-key", Some(Token)),
            ("key", None),
            ("AWS_ACCESS_KEY_ID", None),
            ("PASSWORD_MIN_LENGTH", None),
            ("tokenizer", None),
            ("", None),
        ] {
            assert_eq!(meaning(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in r#"[a-z"'\\:= $\{é\npassword]{0,60}"#) {
            for language in [Language::Bash, Language::PowerShell, Language::Plain] {
                for one in find(&text, language) {
                    prop_assert!(text.get(one.range).is_some());
                }
            }
        }
    }
}
