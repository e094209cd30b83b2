//! The product's own way from a recipe to a validated image, twice, while EC2 is behind.

use crate::fixture::fixture;
use amiforge::aws::{Cloud, Options};
use amiforge::clock::Clock;
use amiforge::event::Events;
use amiforge::project;
use amiforge::run::Work;
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

/// The AMI that is built and validated, and whether it was there already.
async fn run(folder: &Path, motd: &str) -> (String, bool) {
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
    let events = Events::none();
    let rendered = work.check(&events).expect("a recipe");
    let plan = work.plan(&rendered, false, &events).await.expect("a plan");
    let built = work.build(&rendered, &plan, false, &events).await.expect("an image");
    let judged = work.validate(&built, &plan.fingerprint, &events).await;
    cloud.shutdown().await;
    if let Err(error) = judged {
        panic!("{motd}: {error}");
    }
    (built.ami, built.reused)
}

pub fn validated() {
    let folder = tempfile::tempdir_in(&fixture().base).expect("a folder");
    project(folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let [first, second, again] = ["one", "two", "two"].map(|motd| runtime.block_on(run(folder.path(), motd)));
    assert!(!first.1 && !second.1 && first.0 != second.0, "{first:?} {second:?}");
    // Its evidence is too fresh to be seen on it, so it is collected once more; the image is the one that is there.
    assert_eq!(again, (second.0, true), "no image is made twice");
}
