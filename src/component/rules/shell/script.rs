//! The scripts of a document, read once for all rules.

use crate::component::expression::Template;
use crate::component::model::{Document, Phase, Step, Value};
use crate::component::modules::Action;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Place, PowerShell, Script};
use crate::diagnostic::{Edit, SourceFile, Span};
use crate::yaml::Offsets;
use std::cell::OnceCell;

/// The `commands` of a step, and what was read from them.
#[derive(Debug)]
pub(in crate::component::rules) struct Commands<'a, S = Script> {
    /// The step.
    pub step: &'a Step,
    /// The phase it stands in.
    pub phase: &'a Phase,
    /// What was read.
    pub script: S,
    /// The items; [`Place::item`] counts them.
    pub templates: &'a [Template],
    /// The file.
    pub source: &'a SourceFile,
    /// Where the bytes of each item stand, found when first asked for: most items have nothing to report.
    offsets: Vec<OnceCell<Offsets>>,
}

/// The same of an `ExecutePowerShell`.
pub(in crate::component::rules) type PowerShellCommands<'a> = Commands<'a, PowerShell>;

impl<S> Commands<'_, S> {
    /// A place of the script in the file. What lies outside of it is the whole step.
    pub fn span(&self, place: &Place) -> Span {
        self.offsets(place.item).map_or(self.step.places.whole, |offsets| offsets.span(&place.range))
    }

    /// The change of the file that puts `text` in the place of a part of the script, where it can be written there as it
    /// is.
    pub fn edit(&self, place: &Place, text: &str) -> Option<Edit> {
        self.offsets(place.item)?.edit(&place.range, text)
    }

    /// A part of the script as it is written.
    pub fn text(&self, place: &Place) -> &str {
        self.templates.get(place.item).and_then(|template| template.text().get(place.range.clone())).unwrap_or_default()
    }

    /// Where the text of the first item goes on at a byte of it, for what is put in between lines.
    pub fn start_of(&self, at: usize) -> Option<usize> {
        self.offsets(0).map(|offsets| offsets.source(at))
    }

    fn offsets(&self, item: usize) -> Option<&Offsets> {
        let (cell, template) = (self.offsets.get(item)?, self.templates.get(item)?);
        Some(cell.get_or_init(|| Offsets::new(&self.source.text, &template.node)))
    }
}

impl<'a> Subject<'a> {
    /// The script of every `ExecuteBash`, in document order.
    pub(in crate::component::rules) fn scripts(&self) -> &[Commands<'a>] {
        self.bash.get_or_init(|| read(self.document, self.source, Action::ExecuteBash, Script::bash))
    }

    /// The script of every `ExecutePowerShell` that has `commands`, in document order.
    pub(in crate::component::rules) fn powershell(&self) -> &[PowerShellCommands<'a>] {
        self.powershell.get_or_init(|| read(self.document, self.source, Action::ExecutePowerShell, PowerShell::read))
    }
}

fn read<'a, S>(
    document: &'a Document,
    source: &'a SourceFile,
    action: Action,
    parse: fn(&[&str]) -> S,
) -> Vec<Commands<'a, S>> {
    let steps = document.steps().filter(|(_, step)| step.module.action == action);
    let scripts = steps.filter_map(|(phase, step)| {
        let Value::Texts(templates) = step.input("commands")? else { return None };
        let items: Vec<&str> = templates.iter().map(Template::text).collect();
        let offsets = templates.iter().map(|_| OnceCell::new()).collect();
        Some(Commands { step, phase, script: parse(&items), templates, source, offsets })
    });
    scripts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::parse;
    use crate::component::rules::Target;
    use crate::diagnostic::SourceFile;

    const DOCUMENT: &str = "\
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: First
        action: ExecuteBash
        inputs:
          commands:
            - |
              set -e
              cp a b
            - 'echo ''x'' y'
      - name: Second
        action: ExecutePowerShell
        inputs: {commands: [Get-Date]}
";

    #[test]
    fn places_of_scripts_lead_to_the_file() {
        let source = SourceFile::new("t.yaml", DOCUMENT);
        let parsed = parse(&source);
        let target = Target::default();
        let (root, document) = (parsed.root.as_ref().unwrap(), parsed.readable.as_ref().unwrap());
        let subject = Subject::new(&source, root, document, true, &[], &target);
        let [bash] = subject.scripts() else { panic!("one script") };
        let written: Vec<&str> = bash.script.commands.iter().map(|c| source.slice(bash.span(&c.place))).collect();
        assert_eq!(written, ["set -e", "cp a b", "echo ''x'' y"]);
        assert_eq!((bash.step.name.as_str(), bash.phase.name.as_str()), ("First", "build"));
        let [_, copy, echo] = &bash.script.commands[..] else { panic!("three commands") };
        assert_eq!(bash.text(&echo.words[1].place), "'x'");
        let edit = bash.edit(&copy.words[2].place, "\"c\"").unwrap();
        assert_eq!((source.slice(edit.span), edit.text.as_str()), ("b", "\"c\""));
        assert_eq!(bash.edit(&echo.words[2].place, "'c'"), None);
        assert_eq!(bash.span(&Place { item: 7, range: 0..1 }), bash.step.places.whole);
        let [powershell] = subject.powershell() else { panic!("one script") };
        assert_eq!(source.slice(powershell.span(&powershell.script.commands[0].place)), "Get-Date");
    }
}
