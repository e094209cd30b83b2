//! The product's own way from a recipe to a promoted image, twice, while EC2 is behind.

use crate::fixture::fixture;
use amiforge::aws::{Cloud, Options};
use amiforge::clock::Clock;
use amiforge::event::Events;
use amiforge::project;
use amiforge::run::{self, RunReport, Work};
use std::path::Path;
use std::time::Duration;

/// Longer than the product waits between two looks, so that no first look finds anything.
const LAG: Duration = Duration::from_secs(2);

const MOTD: &str = "name: motd\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Write\n        action: CreateFile\n        \
                    inputs:\n          - { path: /etc/motd, content: WHAT }\n";

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of a file");
    std::fs::write(path, text).expect("a file of the project");
}

fn project(folder: &Path) {
    let settings = format!(
        "project: acme\nenvironments:\n  local: {{ bind: [\"{}\"] }}\nchannels:\n  candidate: {{}}\n",
        fixture().repository.display()
    );
    write(folder, "amiforge.yaml", &settings);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{{{ debian_arch }}}}\n  \
         local: {{ directory: \"{}\" }}\nbuild:\n  - patch-linux: {{ scope: security }}\n  - motd\ntest: [boots, patched]\n",
        fixture().root.display()
    );
    write(folder, "recipes/web.yaml", &recipe);
}

async fn run(folder: &Path, motd: &str) -> RunReport {
    write(folder, "components/motd.yaml", &MOTD.replace("WHAT", motd));
    let project = project::load(folder).expect("a project");
    let options = Options {
        clock: Clock::system(),
        events: Events::none(),
        state: folder.join(".amiforge"),
        cache: folder.join("cache"),
    };
    let cloud = Cloud::connect(&project, "local", options).await.expect("the local environment");
    cloud.local().expect("it is local").set_lag(LAG);
    let recipe = &project.recipes["web"];
    let work = Work { cloud: &cloud, project: &project, recipe, arch: recipe.architectures[0] };
    let report = run::all(&work, false, &Events::none()).await;
    cloud.shutdown().await;
    report.unwrap_or_else(|error| panic!("{motd}: {error}"))
}

pub fn whole_way() {
    let folder = tempfile::tempdir_in(&fixture().base).expect("a folder");
    project(folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let [first, second] = ["one", "two"].map(|motd| runtime.block_on(run(folder.path(), motd)));
    let ami = |report: &RunReport| report.promotion.release.ami.clone();
    assert!(first.promotion.changed && second.promotion.changed);
    assert_ne!(ami(&first), ami(&second));
    assert_eq!(second.promotion.release.previous.as_ref().map(|before| before.ami.clone()), Some(ami(&first)));
    assert_eq!(second.promotion.release.targets[0].launch_template.version, 2, "nothing was made twice");
}
