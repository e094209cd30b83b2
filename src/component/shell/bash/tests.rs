use super::super::{Command, CommandKind, Context, Embedding, GuardKind, Place, Quoting, Script};

/// One line for each command: its words, and in brackets what it stands in. `?` a condition, `&` the background, `*` a
/// loop, `()` a process of its own, `f` a function, `|0` a pipeline, the guards from the inside out, the parent.
pub(crate) fn facts(items: &[&str]) -> Vec<String> {
    let script = Script::bash(items);
    let line = |command: &Command| {
        let assignments = command
            .assignments
            .iter()
            .map(|a| format!("{}{}{}", a.name, if a.appends { "+=" } else { "=" }, a.value.text));
        let words = command.words.iter().map(|word| word.text.clone());
        let redirects = command.redirects.iter().map(|redirect| {
            let descriptor = redirect.descriptor.map(|number| number.to_string()).unwrap_or_default();
            format!("{descriptor}{}{}", redirect.operator, redirect.target.text)
        });
        let mut parts: Vec<String> = assignments.chain(words).chain(redirects).collect();
        match command.kind {
            CommandKind::Simple => {}
            CommandKind::Test => parts.insert(0, "[[".to_owned()),
            CommandKind::Arithmetic => parts.insert(0, "((".to_owned()),
        }
        let scope = command.scope;
        let flags = [
            (command.in_condition, "?"),
            (command.background, "&"),
            (scope.in_loop, "*"),
            (scope.in_subshell, "()"),
            (scope.function.is_some(), "f"),
        ];
        let mut marks: Vec<String> = flags.iter().filter(|(on, _)| *on).map(|(_, mark)| (*mark).to_owned()).collect();
        marks.extend(command.pipeline.map(|number| format!("|{number}")));
        marks.extend(script.guards_of(&scope).map(|guard| format!("{:?} {:?}", guard.kind, guard.conditions)));
        marks.extend(scope.parent.map(|(index, how)| format!("{how:?} {index}")));
        let marks = if marks.is_empty() { String::new() } else { format!(" [{}]", marks.join(", ")) };
        parts.join(" ") + &marks
    };
    script.commands.iter().map(line).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(facts(&[text]), expected, "{text}");
    assert_eq!(Script::bash(&[text]).errors, [], "{text}");
}

#[test]
fn words_lose_their_quotes() {
    check("a b  'c d' \"e f\"g\\ h", &["a b c d e fg h"]);
    check("a \\\n  b\\\nc", &["a bc"]);
    check("a \\\r\n  b\r\nc\r\n", &["a b", "c"]);
    check("a # it's a \"comment\"\nb#c", &["a", "b#c"]);
    check("a $x ${y:-z} \"$@\" $((1+(2*3))) $[1]", &["a $x ${y:-z} $@ $((1+(2*3))) $[1]"]);
    check("a $'it\\'s' $\"b\" '' \"\"", &["a it\\'s b  "]);
    check("a \"x\\\"y\\$z\\q\" '\"'", &["a x\"y$z\\q \""]);
    check("a {b,c}d ~/e é\\é ü=1", &["a {b,c}d ~/e éé ü=1"]);
    check("echo \"${x#\"${x%%[! ]*}\"}\" ${#x} ${!y} ${z//'}'/a}", &["echo ${x#${x%%[! ]*}} ${#x} ${!y} ${z//}/a}"]);
}

#[test]
fn assignments_and_arrays_are_told_from_words() {
    check("A=1 B+='x y' c D=2", &["A=1 B+=x y c D=2"]);
    check("a=(1 \"2 3\" # x\n $(b) [4]=5) c", &["a= c", "b [(), Substitution 0]"]);
    check("a[$i]=x; a[1]+=(y); 1a=b", &["a=x", "a+=", "1a=b"]);
    check("export A=1 -x B; local c=(d); declare -A e", &["A=1 export -x B", "c= local", "declare -A e"]);
    check("a=; b=$(c) d", &["a=", "b=$() d", "c [(), Substitution 1]"]);
}

#[test]
fn lists_and_pipelines_are_understood() {
    check("a; b & c\nd", &["a", "b [&]", "c", "d"]);
    check("a && b || c; d", &["a [?]", "b [?, And 0..1]", "c [Or 0..2]", "d"]);
    check("a | b |& c || true", &["a [?, |0]", "b [?, |0]", "c [?, |0]", "true [Or 0..3]"]);
    check("a |\n b &&\n\n c", &["a [?, |0]", "b [?, |0]", "c [And 0..2]"]);
    check("! grep -q x y | z; b", &["grep -q x y [?, |0]", "z [?, |0]", "b"]);
    check("a && { b; c; } & d", &["a [?, &]", "b [&, And 0..1]", "c [&, And 0..1]", "d"]);
    check("{ a; b; } && c", &["a [?]", "b [?]", "c [And 0..2]"]);
    check("time -p a | b; time { c; }", &["a [|0]", "b [|0]", "c"]);
}

#[test]
fn redirections_belong_to_their_command() {
    check("a >b 2>&1 c <d", &["a c >b 2>&1 <d"]);
    check(">a; <b cat >>c &>d &>>e 3<>f >|g 1>&-", &[">a", "cat <b >>c &>d &>>e 3<>f >|g 1>&-"]);
    check("grep x <<<\"a b\" 2 >f", &["grep x 2 <<<a b >f"]);
    check("a <(b) >(c | d)", &["a <() <()", "b [(), Process 0]", "c [(), |0, Process 0]", "d [(), |0, Process 0]"]);
    let script = Script::bash(&["while a; do b; done >>c\n{ d; } 2>e"]);
    let blocks: Vec<_> = script.block_redirects.iter().map(|r| (r.operator, r.target.text.as_str())).collect();
    assert_eq!(blocks, [(">>", "c"), (">", "e")]);
}

#[test]
fn compound_commands_are_understood() {
    check(
        "if a; then b; elif c; then d; else e; fi",
        &["a [?]", "b [Then 0..1]", "c [?]", "d [Then 2..3]", "e [Else 2..3]"],
    );
    check(
        "if [ -f x ]\nthen\n\tif [[ -z $y && ! ( $z =~ ^(a|b)$ ) ]]; then b; fi\nfi",
        &["[ -f x ] [?]", "[[ -z $y ! $z =~ ^ a b $ [?, Then 0..1]", "b [Then 1..2, Then 0..1]"],
    );
    check(
        "while read -r l; do a \"$l\"; done < <(b); until c; do d; done",
        &["read -r l [?]", "a $l [*, While 0..1]", "b [()]", "c [?]", "d [*, While 3..4]"],
    );
    check(
        "for i in a $(b) c; do d; done; for i; do e; done; for i\ndo f; done",
        &["b [*, ()]", "d [*]", "e [*]", "f [*]"],
    );
    check(
        "for ((i=0; i<3; i++)); do a; done; for ((;;)) { b; }; ((x++)); ((x)) && c",
        &["a [*]", "b [*]", "((", "(( [?]", "c [And 3..4]"],
    );
    check(
        "case \"$1\" in\n  a|b) c;;\n  (-*) d ;& # x\n  *) e\nesac; f",
        &["c [Case 0..0]", "d [Case 1..1]", "e [Case 2..2]", "f"],
    );
    check("case x in esac; case x in a) ;; esac; case $(a) in @(b|c)) d;; esac", &["a [()]", "d [Case 1..1]"]);
    check("(a; b) | { c; }", &["a [()]", "b [()]", "c"]);
    check(
        "( (a) ); ((1) | (2)); $((a); b)",
        &["a [()]", "1 [()]", "2 [()]", "$()", "a [(), Substitution 3]", "b [(), Substitution 3]"],
    );
    check("select x in a b; do c; done; coproc d; { (a) }", &["c [*]", "d", "a [()]"]);
}

#[test]
fn functions_are_known() {
    check(
        "f() { a; }; function g { b; }; function h () ( c ); i()\n{\nd\n}",
        &["a [f]", "b [f]", "c [(), f]", "d [f]"],
    );
    check("if x; then f() { a || b; }; fi", &["x [?]", "a [?, f]", "b [f, Or 1..2]"]);
    let script = Script::bash(&["f() { a; }; function g { b; }"]);
    let names: Vec<_> = script.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["f", "g"]);
    assert_eq!(script.commands[1].scope.function, Some(1));
}

#[test]
fn commands_inside_words_are_found() {
    check(
        "a \"$(b \"$(c)\")\" `d \\`e\\``",
        &["a $() $()", "b $() [(), Substitution 0]", "c [(), Substitution 1]", "d `e` [(), Substitution 0]"],
    );
    check("bash -c \"$(curl -fsSL x)\"", &["bash -c $()", "curl -fsSL x [(), Substitution 0]"]);
    check(
        "$(a) b; x=$(case y in y) c;; esac)",
        &["$() b", "a [(), Substitution 0]", "x=$()", "c [(), Case 3..3, Substitution 2]"],
    );
    check(
        "a ${b:-$(c)} $((d + $(e)))",
        &["a ${b:-$()} $((d + $()))", "c [(), Substitution 0]", "e [(), Substitution 0]"],
    );
}

#[test]
fn here_documents_are_read() {
    check(
        "cat <<A >b; c\nx $(d) 'e\n\\$(f) `g`\nA\nh",
        &["cat <<A >b", "c", "d [(), Substitution 0]", "g [(), Substitution 0]", "h"],
    );
    check("cat <<'A' <<-\"B\" | c\n$(x) it's\nA\n\ty\n\tB\nd", &["cat <<A <<-B [|0]", "c [|0]", "d"]);
    check("if a <<X; then\nb\nX\nc; fi\nd <<Y\r\nz\r\nY\r\ne", &["a <<X [?]", "c [Then 0..1]", "d <<Y", "e"]);
    let script = Script::bash(&["cat <<A", "x", "y", "A", "b"]);
    assert_eq!(script.commands[0].redirects[0].body, Some(Place { item: 1, range: 0..1 }));
    assert_eq!(script.commands[1].place, Place { item: 4, range: 0..1 });
}

#[test]
fn scripts_inside_scripts_are_read() {
    check(
        "bash <<'E' && b\nset -e\napt-get install x\nE",
        &["bash <<E [?]", "b [And 0..1]", "set -e [(), Script 0]", "apt-get install x [(), Script 0]"],
    );
    check("cat <<E | sudo bash -s\na\nE\nb", &["cat <<E [|0]", "sudo bash -s [|0]", "a [(), Script 0]", "b"]);
    check(
        "sudo -u bob sh -c 'a; b \"c\"' d || e",
        &["sudo -u bob sh -c a; b \"c\" d [?]", "a [?, (), Script 0]", "b c [?, (), Script 0]", "e [Or 0..3]"],
    );
    check(
        "bash -c \"bash -c 'a'\"\nbash x.sh <<E\n$(b)\nE\nc",
        &[
            "bash -c bash -c 'a'",
            "bash -c a [(), Script 0]",
            "a [(), Script 1]",
            "bash x.sh <<E",
            "b [(), Substitution 3]",
            "c",
        ],
    );
    let script = Script::bash(&["bash -c 'a b'"]);
    assert_eq!(script.commands[1].place, Place { item: 0, range: 9..12 });
}

#[test]
fn what_is_wrong_is_said_and_the_rest_is_read() {
    for (text, faults) in [
        ("a 'b", &["`'` is never closed"][..]),
        ("a \"b", &["`\"` is never closed"]),
        ("a `b", &["``` is never closed"]),
        ("a $(b", &["`$(` is never closed"]),
        ("a ${b", &["`${` is never closed"]),
        ("a $((b", &["`((` is never closed"]),
        ("(a", &["`(` is never closed"]),
        ("if a; then b", &["`if` is never closed"]),
        ("while a; do b", &["`while` is never closed"]),
        ("for a in b", &["`for` is never closed"]),
        ("case a in b) c", &["`case` is never closed"]),
        ("[[ a ; b", &["`[[` is never closed"]),
        ("a <<E\nb", &["`<<` is never closed"]),
        ("a <<E", &["`<<` is never closed"]),
        ("a )", &["`)` is not expected here"]),
        ("fi; b", &["`fi` is not expected here"]),
        ("a && ; b", &["`;` is not expected here"]),
        ("a |", &["a command is missing after `|`"]),
        ("a ||", &["a command is missing after `||`"]),
        ("; a", &["`;` is not expected here"]),
        ("a;; b", &["`;;` is not expected here"]),
        ("a >", &["a command is missing after `>`"]),
        ("{ a; } b", &["`b` is not expected here"]),
        ("a (b)", &["`(` is not expected here", "`)` is not expected here"]),
        ("f()", &["a command is missing after `()`"]),
        ("(if a; then b)", &["`if` is never closed"]),
    ] {
        let script = Script::bash(&[text]);
        let found: Vec<_> = script.errors.iter().map(|error| error.fault.to_string()).collect();
        assert_eq!(found, faults, "{text}");
    }
    assert_eq!(facts(&["a )\nb && ; c 'd"]), ["a", "b [?]", "c d [And 1..2]"]);
}

#[test]
fn expressions_have_a_context_and_a_command() {
    let items = [
        "a {{ A }} \"{{ B }}\" '{{ C }}' # {{ D }}",
        "x={{ E }}; [[ {{ F }} = \"{{ G }}\" ]]; ((i = {{ H }})); b $(c {{ I }}) \"$(d {{ J }})\"",
        "cat <<E\n{{ K }} '{{ L }}'\nE\ncat <<'E'\n{{ M }}\nE",
        "for i in {{ N }}; do e >{{ O }}; done; {{ P\n}} f; y=\"{{ Q }}\" g ${h:-{{ R }}} <<<{{ S }} {{ T",
    ];
    let script = Script::bash(&items);
    let found: Vec<_> = script.expressions.iter().map(|e| (e.text.as_str(), e.context, e.command)).collect();
    let heredoc = |quoted| Context::Heredoc { quoted };
    assert_eq!(
        found,
        [
            ("A", Context::Unquoted, Some(0)),
            ("B", Context::DoubleQuoted, Some(0)),
            ("C", Context::SingleQuoted, Some(0)),
            ("D", Context::Comment, None),
            ("E", Context::Assignment, Some(1)),
            ("F", Context::Test, Some(2)),
            ("G", Context::DoubleQuoted, Some(2)),
            ("H", Context::Arithmetic, Some(3)),
            ("I", Context::Unquoted, Some(5)),
            ("J", Context::Unquoted, Some(6)),
            ("K", heredoc(false), Some(7)),
            ("L", heredoc(false), Some(7)),
            ("M", heredoc(true), Some(8)),
            ("N", Context::Unquoted, None),
            ("O", Context::Unquoted, Some(9)),
            ("P", Context::Unquoted, Some(10)),
            ("Q", Context::DoubleQuoted, Some(11)),
            ("R", Context::Unquoted, Some(11)),
            ("S", Context::Unquoted, Some(11)),
        ]
    );
    assert_eq!(script.errors, []);
    assert_eq!(script.expressions[4].place, Place { item: 1, range: 2..9 });
    assert_eq!(script.commands[0].words[1].text, "{{ A }}");
    assert!(script.commands[0].words.iter().skip(1).all(|word| word.dynamic));
    assert_eq!(script.commands[10].name(), None);
}

#[test]
fn variables_and_tildes_are_noted() {
    let script = Script::bash(&[
        "cd $HOME \"${HOME}/x\" ${HOME:-/root} '$HOME' \\$HOME ~/a x~ \"~\"; y=~",
        "((HOME_X + $HOME))",
    ]);
    let found: Vec<_> =
        script.variables.iter().map(|v| (v.name.as_str(), v.has_default, v.context, v.command)).collect();
    assert_eq!(
        found,
        [
            ("HOME", false, Context::Unquoted, Some(0)),
            ("HOME", false, Context::DoubleQuoted, Some(0)),
            ("HOME", true, Context::Unquoted, Some(0)),
            ("HOME", false, Context::Arithmetic, Some(2)),
        ]
    );
    assert_eq!(script.variables[1].place, Place { item: 0, range: 10..16 });
    let tildes: Vec<_> =
        script.commands[0].words.iter().filter(|word| word.tilde).map(|word| word.text.as_str()).collect();
    assert_eq!(tildes, ["~/a"]);
    assert!(script.commands[1].assignments[0].value.tilde);
}

#[test]
fn pipelines_know_their_stages() {
    let script =
        Script::bash(&["curl x | sudo bash -s", "a | while b; do c; done || true", "if d | e; then f; fi", "! g | h"]);
    let found: Vec<_> = script
        .pipelines
        .iter()
        .map(|p| (p.stages.iter().map(|s| (s.command, s.inside.clone())).collect::<Vec<_>>(), p.checked, p.negated))
        .collect();
    assert_eq!(
        found,
        [
            (vec![(Some(0), 0..1), (Some(1), 1..2)], false, false),
            (vec![(Some(2), 2..3), (None, 3..5)], true, false),
            (vec![(Some(6), 6..7), (Some(7), 7..8)], true, false),
            (vec![(Some(9), 9..10), (Some(10), 10..11)], true, true),
        ]
    );
    assert_eq!(script.pipelines[0].place, Place { item: 0, range: 0..21 });
    assert_eq!(script.pipelines[1].place, Place { item: 1, range: 0..23 });
}

#[test]
fn parents_and_guards_lead_outwards() {
    let script = Script::bash(&["if a; then bash -c 'b && \"$(c)\"'; fi"]);
    let last = &script.commands.last().expect("four commands").scope;
    let parents: Vec<_> = script.parents_of(last).map(|(command, how)| (command.name(), how)).collect();
    assert_eq!(parents, [(None, Embedding::Substitution), (Some("bash"), Embedding::Script)]);
    let guards: Vec<_> = script.guards_of(last).map(|guard| guard.kind).collect();
    assert_eq!(guards, [GuardKind::And, GuardKind::Then]);
}

#[test]
fn words_say_how_they_are_quoted() {
    let script = Script::bash(&["a b'c' 'd' \"e\"'f' g\\h"]);
    let found: Vec<_> = script.commands[0].words.iter().map(|word| word.quoting).collect();
    assert_eq!(found, [Quoting::Bare, Quoting::Partly, Quoting::Whole, Quoting::Whole, Quoting::Partly]);
}
