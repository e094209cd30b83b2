//! What is written about an action module, for a terminal.

use super::{Module, Platform, Rule, Shape, Type};
use std::fmt::Write as _;

/// Everything the table says about a module: where it runs, what it takes, what it gives.
pub fn explain(module: &Module) -> String {
    let mut page = format!("{}: {}\n\n", module.name, module.summary);
    let platforms: Vec<&str> = module.platforms.iter().map(|platform| word(*platform)).collect();
    let _ = writeln!(page, "Runs on {}.", platforms.join(", "));
    let _ = writeln!(page, "`inputs` is {}.\n", shape(module));
    for input in module.inputs {
        let need = match (input.required, input.default) {
            (true, _) => "required".to_owned(),
            (false, Some("")) => "empty when not given".to_owned(),
            (false, Some(default)) => format!("{default} when not given"),
            (false, None) => "optional".to_owned(),
        };
        let _ = writeln!(page, "  {} ({}; {need})\n      {}", input.name, kind(input.kind), input.summary);
    }
    for rule in module.rules {
        let _ = match rule {
            Rule::ExactlyOne(keys) => writeln!(page, "  Exactly one of {}.", keys.join(", ")),
            Rule::Together(keys) => writeln!(page, "  All of {}, or none.", keys.join(", ")),
        };
    }
    if !module.outputs.is_empty() {
        page.push_str("\nOutputs:\n\n");
    }
    for output in module.outputs {
        let _ = writeln!(page, "  {}\n      {}", output.name, output.summary);
    }
    page
}

fn word(platform: Platform) -> &'static str {
    match platform {
        Platform::Linux => "Linux",
        Platform::Windows => "Windows",
        Platform::MacOs => "macOS",
    }
}

fn shape(module: &Module) -> &'static str {
    match module.shape {
        Shape::Condition => "a condition, as below `if`",
        Shape::Map if module.needs_inputs() => "a mapping",
        Shape::Map => "a mapping, and may be left out",
        Shape::List => "a list of mappings, worked through in order",
    }
}

/// What a value may be, in words.
fn kind(kind: Type) -> String {
    match kind {
        Type::Text => "text".to_owned(),
        Type::Texts => "a list of texts".to_owned(),
        Type::Boolean | Type::BooleanText => "true or false".to_owned(),
        Type::Count => "a whole number".to_owned(),
        Type::OneOf(words) => words.join(", "),
        Type::Encoding => "an encoding, such as utf-8 or utf-16-LE".to_owned(),
        Type::Permissions => "permission bits in octal, in quotes".to_owned(),
        Type::Properties => "a mapping of names to texts".to_owned(),
        Type::Parameters => "a list of mappings with `name` and `value`".to_owned(),
        Type::Registry => "text, a number or a list of texts".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MODULES, find};
    use super::explain;

    #[test]
    fn a_page_has_all_that_the_table_has() {
        for module in MODULES {
            let page = explain(module);
            let names = module.inputs.iter().map(|input| input.name);
            for name in names.chain(module.outputs.iter().map(|output| output.name)) {
                assert!(page.contains(&format!("\n  {name}")), "{name} of {page}");
            }
        }
        insta::assert_snapshot!(explain(find("ReadFile").unwrap()), @r"
        ReadFile: Reads a text file.

        Runs on Linux, Windows, macOS.
        `inputs` is a list of mappings, worked through in order.

          path (text; required)
              Absolute, or relative to the working directory.
          encoding (an encoding, such as utf-8 or utf-16-LE; utf8 when not given)
              How text is stored.
          printFileContent (true or false; false when not given)
              Whether the content is written to the log as well.

        Outputs:

          content
              The text of the file.
        ");
    }
}
