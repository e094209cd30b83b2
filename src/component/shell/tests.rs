use proptest::prelude::*;

use super::bash::tests::facts;
use super::{Command, Coverage, DEEPEST_NESTING, LARGEST_SCRIPT, Place, PowerShell, Script};

#[test]
fn what_is_too_much_is_not_read() {
    assert_eq!(Script::bash(&["a ".repeat(LARGEST_SCRIPT / 2).as_str()]).coverage, Coverage::TooLarge);
    assert_eq!(PowerShell::read(&["a ".repeat(LARGEST_SCRIPT / 2).as_str()]).coverage, Coverage::TooLarge);
    assert_eq!(Script::bash(&["a ".repeat(LARGEST_SCRIPT / 2 - 1).as_str()]).coverage, Coverage::Complete);
    for unit in [
        "( ",
        "$(",
        "{ ",
        "\"$(",
        "<(",
        "if ",
        "while ",
        "case a in a) ",
        "f() { ",
        "for i in $(",
        "${a:-\"",
        "x=(\"$(",
    ] {
        let deep = unit.repeat(DEEPEST_NESTING + 1);
        assert_eq!(Script::bash(&[&deep]).coverage, Coverage::TooDeep, "{unit}");
    }
    assert_eq!(PowerShell::read(&["{ (".repeat(DEEPEST_NESTING).as_str()]).coverage, Coverage::TooDeep);
}

/// A reader that calls itself needs a stack as deep as the text for these.
#[test]
fn deep_nesting_ends() {
    for unit in ["(", "( ", "$(", "{ ", "((", "$((", "<(", "`", "[", "@(", "\"$("] {
        let text = unit.repeat(200_000.min((LARGEST_SCRIPT - 2) / unit.len()));
        Script::bash(&[&text]);
        PowerShell::read(&[&text]);
    }
}

/// A careless reader needs quadratic or exponential time for these, or reads beyond their end.
#[test]
fn long_repetitions_end() {
    for unit in [
        "`",
        "\"",
        "'",
        "((a) ",
        "((((a",
        "<<E\n",
        "a <<E\n",
        "a|",
        "a&&",
        "a||b&",
        "! ",
        "[[ ",
        "x=(",
        ")",
        "))",
        "}",
        "fi ",
        ";;",
        "|",
        ">",
        "<",
        "#",
        "\\",
        "$",
        "${",
        "${a:-",
        "$'",
        "@(",
        "a=",
        "a[",
        "{{",
        "{{ }}",
        "é",
        "\u{31860}",
        "{\u{f0000}",
        "bash -c '",
        "bash <<A\n",
        "bash -c 'a'\n",
        "cat <<A|bash\nA\n",
        "{ a&&",
        "a;",
        "(a)",
        "{ a; };",
        "if a; then b; fi;",
        "case a in b) c;; esac;",
        "\0",
        "\r",
        "\r\n",
        "\u{1a}",
        "eval \"",
        "<#",
        "@'\n",
        "if (",
    ] {
        let text = unit.repeat(40_000 / unit.len());
        Script::bash(&[&text]);
        PowerShell::read(&[&text]);
    }
}

/// Every place of a script lies in its item, on character boundaries.
fn check_places(items: &[&str], script: &Script) {
    let words = |command: &Command| {
        let mut places: Vec<Place> = command.words.iter().map(|word| word.place.clone()).collect();
        places.extend(command.assignments.iter().map(|assignment| assignment.value.place.clone()));
        places.extend(command.redirects.iter().map(|redirect| redirect.target.place.clone()));
        places.extend(command.redirects.iter().filter_map(|redirect| redirect.body.clone()));
        places.push(command.place.clone());
        places
    };
    let mut places: Vec<Place> = script.commands.iter().flat_map(words).collect();
    places.extend(script.pipelines.iter().map(|pipeline| pipeline.place.clone()));
    places.extend(script.expressions.iter().map(|expression| expression.place.clone()));
    places.extend(script.variables.iter().map(|variable| variable.place.clone()));
    places.extend(script.functions.iter().map(|function| function.place.clone()));
    places.extend(script.errors.iter().map(|error| error.place.clone()));
    for place in places {
        let item = items.get(place.item).copied().unwrap_or_default();
        assert!(item.get(place.range.clone()).is_some(), "{place:?} {item:?}");
    }
    let commands = script.commands.len();
    for command in &script.commands {
        assert!(command.scope.parent.is_none_or(|(index, _)| index < commands));
        assert!(command.pipeline.is_none_or(|index| index < script.pipelines.len()));
        assert!(command.scope.guard.is_none_or(|index| index < script.guards.len()));
    }
    for pipeline in &script.pipelines {
        assert!(pipeline.stages.iter().all(|stage| stage.inside.end <= commands));
    }
}

fn check_power_shell(items: &[&str]) {
    let script = PowerShell::read(items);
    let words = script.commands.iter().flat_map(|command| command.words.iter().map(|word| &word.place));
    let others = script.commands.iter().map(|command| &command.place);
    let others = others.chain(script.pipelines.iter().map(|pipeline| &pipeline.place));
    let others = others.chain(script.assignments.iter().map(|assignment| &assignment.place));
    for place in words.chain(others).chain(script.errors.iter().map(|error| &error.place)) {
        let item = items.get(place.item).copied().unwrap_or_default();
        assert!(item.get(place.range.clone()).is_some(), "{place:?} {item:?}");
    }
    assert!(script.commands.iter().all(|command| command.parent.is_none_or(|index| index < script.commands.len())));
}

/// Pieces of shell in any order: far likelier to reach the corners than arbitrary text.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        " ",
        "b",
        "\n",
        ";",
        ";;",
        "&",
        "&&",
        "|",
        "||",
        "(",
        ")",
        "((",
        "))",
        "{ ",
        "}",
        "[[ ",
        " ]]",
        "$",
        "$(",
        "${",
        "$((",
        "`",
        "\"",
        "'",
        "$'",
        "<",
        ">",
        ">>",
        "<<E\n",
        "<<'E'\n",
        "E\n",
        "<<<",
        "<(",
        "2>&1",
        "#",
        "\\",
        "\\\n",
        "\r\n",
        "=",
        "x=",
        "x=(",
        "if ",
        "then ",
        "else ",
        "fi ",
        "for ",
        "in ",
        "do ",
        "done ",
        "while ",
        "case ",
        "esac ",
        "function ",
        "f() ",
        "! ",
        "time ",
        "bash -c '",
        "bash ",
        "{{ V }}",
        "{{",
        "}}",
        "é",
        "\u{31860}",
        "~",
        "*",
        "@(",
        "set -e",
        "@\"\n",
        "\n\"@",
        "<#",
        "#>",
        "exit 194",
        "foreach ",
        "sudo ",
        "apt-get install ",
        "\t",
        "\0",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

/// Cuts a text at some of its line breaks.
fn cut<'a>(text: &'a str, choices: &[bool]) -> Vec<&'a str> {
    let mut items = Vec::new();
    let mut start = 0;
    for ((at, _), cut) in text.match_indices('\n').zip(choices.iter().chain(std::iter::repeat(&false))) {
        if *cut {
            items.push(&text[start..at]);
            start = at + 1;
        }
    }
    items.push(&text[start..]);
    items
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        check_places(&[&text], &Script::bash(&[&text]));
        check_power_shell(&[&text]);
    }

    #[test]
    fn any_pieces_are_read(items in prop::collection::vec(soup(), 0..4)) {
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        check_places(&items, &Script::bash(&items));
        check_power_shell(&items);
    }

    #[test]
    fn items_make_no_difference(text in soup(), choices in prop::collection::vec(any::<bool>(), 12)) {
        // An expression over two items is none: the runner replaces before it joins.
        let text = text.replace("}}", "");
        let items = cut(&text, &choices);
        prop_assert_eq!(facts(&items), facts(&[&text]));
        prop_assert_eq!(Script::bash(&items).errors.len(), Script::bash(&[&text]).errors.len());
    }
}
