//! What `plan` of a project with 200 recipes does before it asks the account anything: the files are read and checked, and every
//! recipe is rendered and its documents linted.
//!
//! `cargo bench --no-default-features --bench render`; nothing of AWS is compiled. Every reading begins with nothing remembered, as
//! a program that has just started. `plan` as a whole is asked to take no more than 200 ms (`benches/plan.rs`).

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use amiforge::project::{self, Arch};
use amiforge::render;
use std::path::Path;
use std::time::{Duration, Instant};

/// Recipes of the project.
const RECIPES: usize = 200;
/// Times that each is measured; the median counts.
const RUNS: usize = 15;

fn main() {
    for (what, build) in [
        ("3 plain components, 1 built-in", "[motd, agent, hardening]"),
        ("the same and `patch-linux`", "[patch-linux, motd, agent, hardening]"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), build);
        let (mut loading, mut rendering, mut again) = (vec![], vec![], vec![]);
        for _ in 0..RUNS {
            let begun = Instant::now();
            let project = project::load(folder.path()).expect("a project");
            loading.push(begun.elapsed());
            for times in [&mut rendering, &mut again] {
                let begun = Instant::now();
                for recipe in project.recipes.values() {
                    render::recipe(&project, recipe, Arch::X86_64).expect("a recipe that renders");
                }
                times.push(begun.elapsed());
            }
        }
        println!(
            "{RECIPES} recipes, {what:<32} reading {:>6.1} ms   rendering {:>6.1} ms   again {:>6.1} ms",
            median(loading),
            median(rendering),
            median(again)
        );
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn write(folder: &Path, build: &str) {
    let write = |path: String, text: String| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("amiforge.yaml".into(), "project: acme\n".into());
    for name in ["motd", "agent", "hardening"] {
        write(
            format!("components/{name}.yaml"),
            format!(
                "name: {name}\ndescription: Writes a file\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Write\n        \
                 action: CreateFile\n        inputs:\n          - path: /etc/{name}\n            content: hello\n"
            ),
        );
    }
    for number in 0..RECIPES {
        write(
            format!("recipes/image-{number:03}.yaml"),
            format!(
                "name: image-{number:03}\nos: debian-12\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{{{ debian_arch }}}}\n  \
                 local: {{ bootstrap: bookworm }}\nbuild: {build}\ntest: [boots]\n"
            ),
        );
    }
}
