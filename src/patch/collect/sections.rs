//! The sections that the collector prints: `= kind words…`, then the lines of a text, each behind a blank.

use super::CollectError;

/// The first line.
const HEAD: &str = "amiforge-inventory 1";

/// One section.
#[derive(Debug)]
pub(super) struct Section<'a> {
    kind: &'a str,
    /// What stands behind the kind.
    pub(super) name: &'a str,
    /// The lines, each with its end.
    pub(super) text: String,
}

/// All of them, in order.
#[derive(Debug)]
pub(super) struct Sections<'a>(Vec<Section<'a>>);

impl<'a> Sections<'a> {
    /// Reads them to their end, which says how many there are.
    pub(super) fn read(text: &'a str) -> Result<Self, CollectError> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if first != HEAD {
            return Err(CollectError::Foreign(first.chars().take(60).collect()));
        }
        let mut all: Vec<Section> = vec![];
        for line in lines {
            if let Some(head) = line.strip_prefix("= ") {
                let (kind, name) = head.split_once(' ').unwrap_or((head, ""));
                if kind == "end" {
                    let found = all.len();
                    let whole = name == found.to_string();
                    let lost = || CollectError::Lost { found, expected: name.to_owned() };
                    return if whole { Ok(Self(all)) } else { Err(lost()) };
                }
                all.push(Section { kind, name, text: String::new() });
                continue;
            }
            let foreign = || CollectError::Section(line.chars().take(60).collect());
            let section = all.last_mut().ok_or_else(foreign)?;
            section.text.push_str(line.strip_prefix(' ').ok_or_else(foreign)?);
            section.text.push('\n');
        }
        Err(CollectError::Cut { found: all.len() })
    }

    /// Those of a kind, in order.
    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Section<'a>> {
        self.0.iter().filter(move |section| section.kind == kind)
    }

    /// The text of the first of a kind.
    pub(super) fn text(&self, kind: &str) -> Option<&str> {
        self.of(kind).next().map(|section| section.text.as_str())
    }

    /// The name of the first of a kind.
    pub(super) fn name(&self, kind: &str) -> Option<&'a str> {
        self.of(kind).next().map(|section| section.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_names_and_texts() {
        let text = "amiforge-inventory 1\n= os-release\n ID=debian\n \n A=b\n= apt-release x_InRelease\n= end 2\n";
        let sections = Sections::read(text).unwrap();
        assert_eq!(sections.text("os-release"), Some("ID=debian\n\nA=b\n"));
        assert_eq!((sections.name("apt-release"), sections.text("facts")), (Some("x_InRelease"), None));
        for end in 1..text.len() {
            assert!(Sections::read(&text[..end - 1]).is_err(), "{}", &text[..end - 1]);
        }
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let error = |text: &str| Sections::read(text).unwrap_err().to_string();
        assert!(error("").contains("no inventory"));
        assert!(error("amiforge-inventory 2\n= end 0\n").contains("no inventory"));
        assert!(error("amiforge-inventory 1\n= a\n x\n").contains("was cut off: 1 sections"));
        assert!(error("amiforge-inventory 1\n= a\n x\n= end 2\n").contains("1 sections came of 2"));
        assert!(error("amiforge-inventory 1\n x\n= end 0\n").contains("cannot be understood"));
        assert!(error("amiforge-inventory 1\n= a\nx\n= end 1\n").contains("`x`"));
    }
}
