//! The orders of versions against the package managers themselves, pair by pair and without a difference.
//!
//! * rpm compares in its own Lua interpreter (`rpm.vercmp`), all pairs in one process.
//! * dpkg has no such way in: a process per comparison would take minutes. So a few lines of C call libdpkg, the library
//!   that dpkg is made of, and that these lines do what dpkg does is checked with a sample through
//!   `dpkg --compare-versions`.
//!
//! The pairs are the same in every run; `VERSIONS_SEED=…` draws others.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program")]

use amiforge::patch::{DebianVersion, Evr};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How many pairs are drawn.
const PAIRS: usize = 250_000;
/// How many of them have to be versions that can be compared.
const COMPARED: usize = 100_000;
/// What of them goes through `dpkg --compare-versions`, at two processes a pair.
const SAMPLE: usize = 5_000;

/// A generator of numbers (splitmix64): the pairs of a seed are the same on every machine.
struct Random(u64);

impl Random {
    /// From the environment, or always the same.
    fn new(test: &str) -> Self {
        let seed = std::env::var("VERSIONS_SEED").map_or(2026, |seed| seed.parse().unwrap());
        println!("{test}: VERSIONS_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Pieces that versions are made of, more of what is read wrong easily than real versions have.
const PIECES: [&str; 44] = [
    "0",
    "1",
    "2",
    "9",
    "10",
    "00",
    "01",
    "007",
    "100",
    "99999999999999999999",
    "20240101",
    "a",
    "b",
    "Z",
    "rc",
    "rc1",
    "pre",
    "git",
    "el9",
    "amzn2023",
    "deb12u1",
    "ubuntu",
    "~",
    "~",
    "~~",
    "^",
    "^",
    "+",
    "+",
    "-",
    "-",
    "-",
    ".",
    ".",
    ".",
    "..",
    "_",
    ":",
    "~rc1",
    "^git1",
    "+b1",
    "1.0",
    "2.35",
    "",
];

const EPOCHS: [&str; 16] = ["", "", "", "", "", "", "", "", "0:", "1:", "2:", "01:", ":", "a:", "+1:", "4294967296:"];

fn version(random: &mut Random) -> String {
    let mut text = random.one_of(&EPOCHS).to_owned();
    // Most begin with a digit, as they should.
    if random.below(8) > 0 {
        text += random.one_of(&["0", "1", "2", "10", "1.0", "5.15.0"]);
    }
    for _ in 0..random.below(8) {
        text += random.one_of(&PIECES);
    }
    if random.below(2) == 0 {
        text += "-";
        for _ in 0..random.below(5) {
            text += random.one_of(&PIECES);
        }
    }
    text
}

/// The text with something taken out, put in or exchanged: pairs that are nearly equal tell more than any two.
fn changed(random: &mut Random, text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(2) {
        let at = random.below(text.len() + 1);
        match random.below(3) {
            0 => text.insert_str(at, random.one_of(&PIECES)),
            1 => text.truncate(at),
            _ => {
                if at < text.len() {
                    text.replace_range(at..=at, random.one_of(&PIECES));
                }
            }
        }
    }
    text
}

fn pairs(random: &mut Random) -> Vec<(String, String)> {
    let pair = |_| {
        let a = version(random);
        let b = if random.below(3) == 0 { version(random) } else { changed(random, &a) };
        if random.below(2) == 0 { (a, b) } else { (b, a) }
    };
    (0..PAIRS).map(pair).collect()
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn lines(pairs: &[(String, String)]) -> String {
    pairs.iter().fold(String::new(), |mut text, (a, b)| {
        let _ = writeln!(text, "{a}\n{b}");
        text
    })
}

/// Runs a program that must succeed; its output.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}; install it with: scripts/test-prerequisites", command.get_program().display())
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}\n{said}", command.get_program().display(), output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// `<`, `=`, `>`, or `!` when one of the two was refused.
fn sign(order: Option<Ordering>) -> &'static str {
    match order {
        Some(Ordering::Less) => "<",
        Some(Ordering::Equal) => "=",
        Some(Ordering::Greater) => ">",
        None => "!",
    }
}

/// Compares what was said about the pairs with our answers, in both directions.
fn judge(
    what: &str,
    at_least: usize,
    pairs: &[(String, String)],
    said: &str,
    ours: impl Fn(&str, &str) -> Option<Ordering>,
) {
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), pairs.len(), "{what} has not answered every pair");
    let mut differences = String::new();
    let mut count = [0_usize; 4];
    for ((a, b), said) in pairs.iter().zip(said) {
        count["<=>!".find(said).unwrap_or_else(|| panic!("{what} said {said}"))] += 1;
        let (forward, backward) = (ours(a, b), ours(b, a));
        if sign(forward) != said || backward != forward.map(Ordering::reverse) {
            let _ = writeln!(differences, "`{a}` {said} `{b}`, but here {}", sign(forward));
        }
    }
    let [less, equal, greater, refused] = count;
    println!("{what}: {less} less, {equal} equal, {greater} greater, {refused} refused");
    assert!(differences.is_empty(), "differences to {what}:\n{differences}");
    // Otherwise the pairs do not tell what they should.
    for kind in [less, equal, greater] {
        assert!(kind > pairs.len() / 400, "{what}: {count:?}");
    }
    assert!(less + equal + greater >= at_least, "{what}: {count:?}");
}

#[test]
fn rpm_versions_compare_as_rpm_does() {
    let mut pairs = pairs(&mut Random::new("rpm"));
    // rpm reads texts that it cannot compare as they are (no version, an epoch that is too great) and says nothing.
    // Here they are errors, so there is nothing to compare: unit tests look at them.
    pairs.retain(|(a, b)| a.parse::<Evr>().is_ok() && b.parse::<Evr>().is_ok());
    let (script, list, answers) = (place("versions.lua"), place("versions-rpm"), place("versions-rpm-answers"));
    fs::write(&list, lines(&pairs)).unwrap();
    let lua = format!(
        "local signs = {{ [-1] = '<', [0] = '=', [1] = '>' }}\nlocal out = io.open('{}', 'w')\nlocal first\n\
         for line in io.lines('{}') do\n  if first then out:write(signs[rpm.vercmp(first, line)], '\\n') first = nil\n  \
         else first = line end\nend\nout:close()\n",
        answers.display(),
        list.display()
    );
    fs::write(&script, lua).unwrap();
    run(Command::new("rpm").arg("--eval").arg(format!("%{{lua: dofile('{}')}}", script.display())));
    let said = fs::read_to_string(&answers).unwrap();
    judge("rpm", COMPARED, &pairs, &said, |a, b| Evr::compare(a, b).ok());
}

/// The program that calls libdpkg.
fn comparer() -> PathBuf {
    let program = place("versions-dpkg");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/versions/dpkg.c");
    run(Command::new("cc").arg("-O1").arg("-o").arg(&program).arg(source).args(["-ldpkg", "-lmd"]));
    program
}

/// What `dpkg --compare-versions` itself says, of every pair.
fn dpkg(list: &Path) -> String {
    let script = "while IFS= read -r a && IFS= read -r b; do \
        if dpkg --compare-versions \"$a\" lt \"$b\" 2>/dev/null; then echo '<'; else code=$?; \
        if [ $code -gt 1 ]; then echo '!'; \
        elif dpkg --compare-versions \"$a\" eq \"$b\" 2>/dev/null; then echo '='; else echo '>'; fi; fi; done";
    let input = fs::File::open(list).unwrap();
    run(Command::new("sh").args(["-c", script]).stdin(Stdio::from(input)))
}

#[test]
fn debian_versions_compare_as_dpkg_does() {
    let mut pairs = pairs(&mut Random::new("dpkg"));
    // `dpkg --compare-versions` takes an empty text for no version at all, which is older than any: a notion of
    // maintainer scripts.
    pairs.retain(|(a, b)| !a.is_empty() && !b.is_empty());
    let ours = |a: &str, b: &str| DebianVersion::compare(a, b).ok();
    let list = place("versions-dpkg-pairs");
    fs::write(&list, lines(&pairs)).unwrap();
    let said = run(Command::new(comparer()).stdin(Stdio::from(fs::File::open(&list).unwrap())));
    judge("libdpkg", COMPARED, &pairs, &said, ours);
    // On a command line a hyphen begins an option.
    pairs.retain(|(a, b)| !a.starts_with('-') && !b.starts_with('-'));
    pairs.truncate(SAMPLE);
    let few = place("versions-dpkg-sample");
    fs::write(&few, lines(&pairs)).unwrap();
    judge("dpkg", SAMPLE / 2, &pairs, &dpkg(&few), ours);
}
