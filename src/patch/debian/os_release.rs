//! `/etc/os-release`.

/// The value of a field, without its quotes. Nothing is expanded: the values read here have no escapes.
pub(in crate::patch) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?.trim();
    let unquoted = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some(unquoted.unwrap_or(value)).filter(|value| !value.is_empty())
}

/// The codename of the release; images of before 2016 do not write it down, for them the version tells.
pub(super) fn codename(text: &str) -> Option<String> {
    if let Some(codename) = field(text, "VERSION_CODENAME") {
        return Some(codename.to_owned());
    }
    let known = match (field(text, "ID")?, field(text, "VERSION_ID")?) {
        ("debian", "11") => "bullseye",
        ("debian", "12") => "bookworm",
        ("debian", "13") => "trixie",
        ("ubuntu", "20.04") => "focal",
        ("ubuntu", "22.04") => "jammy",
        ("ubuntu", "24.04") => "noble",
        _ => return None,
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unquoted_and_the_last_one_counts() {
        let text = "ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\nVERSION_ID=\"13\"\nEMPTY=\"\"\nID_LIKE=x\n";
        assert_eq!(field(text, "ID"), Some("debian"));
        assert_eq!(field(text, "NAME"), Some("Debian GNU/Linux"));
        assert_eq!(field(text, "VERSION_ID"), Some("13"));
        assert_eq!(field(text, "EMPTY"), None);
        assert_eq!(field(text, "NONE"), None);
    }

    #[test]
    fn the_codename_is_written_down_or_known() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm").as_deref(), Some("bookworm"));
        assert_eq!(codename("ID=ubuntu\nVERSION_ID=\"24.04\"").as_deref(), Some("noble"));
        assert_eq!(codename("ID=debian\nVERSION_ID=99"), None);
    }
}
