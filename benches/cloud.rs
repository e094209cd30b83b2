//! The local cloud beside moto, in one run: calls per second and latency of the same calls by the same SDK clients over loopback.
//!
//! `cargo bench --bench cloud` (`--profile dev` saves a release build of the SDK; then the program is one that was not optimized,
//! and so are the clients, whose time is in both columns). Both servers are processes of their own. Each kind of call is made by one
//! client and by eight at once; the order of the servers changes from row to row, and each row starts with calls that do not count.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]
#![allow(clippy::cast_precision_loss, reason = "counts of calls")]

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::types::RequestLaunchTemplateData;
use aws_sdk_ssm::types::ParameterType;
use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Calls that are measured per row.
const CALLS: usize = 400;
/// Calls before them.
const WARM: usize = 40;
/// Clients at once.
const WIDTHS: [usize; 2] = [1, 8];
/// Launch templates and parameters that are there.
const THERE: usize = 50;

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;
type Kind = (&'static str, fn(Arc<Site>, usize) -> Call);

/// What is called, with the number of the call.
const KINDS: [Kind; 6] = [
    ("ssm GetParameter", |site, number| {
        Box::pin(async move {
            site.ssm.get_parameter().name(parameter(number)).send().await.expect("a parameter");
        })
    }),
    ("ssm PutParameter", |site, number| {
        Box::pin(async move {
            site.put(number).await;
        })
    }),
    ("ssm GetParametersByPath", |site, _| {
        Box::pin(async move {
            site.ssm.get_parameters_by_path().path("/bench").send().await.expect("parameters");
        })
    }),
    ("ec2 DescribeLaunchTemplates (one)", |site, number| {
        Box::pin(async move {
            let name = template(number);
            site.ec2.describe_launch_templates().launch_template_names(name).send().await.expect("a template");
        })
    }),
    ("ec2 DescribeLaunchTemplates (all)", |site, _| {
        Box::pin(async move {
            site.ec2.describe_launch_templates().send().await.expect("templates");
        })
    }),
    ("ec2 CreateLaunchTemplateVersion", |site, number| {
        Box::pin(async move {
            let request = site.ec2.create_launch_template_version().launch_template_name(template(number));
            request.launch_template_data(data()).send().await.expect("a version");
        })
    }),
];

fn parameter(number: usize) -> String {
    format!("/bench/{}", number % THERE)
}

fn template(number: usize) -> String {
    format!("bench-{}", number % THERE)
}

fn data() -> RequestLaunchTemplateData {
    RequestLaunchTemplateData::builder().image_id("ami-0123456789abcdef0").build()
}

/// A server, and clients of it.
struct Site {
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    child: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        // Asked by the end of its input or by a signal, and waited for, so that nothing is left.
        drop(self.child.stdin.take());
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

impl Site {
    /// Starts a server that says where it listens, and which keys it takes unless it takes `any`, and fills it.
    async fn start(command: &mut Command, any: Option<(String, String)>) -> Arc<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let (sender, said) = mpsc::channel();
        listen(child.stdout.take().expect("its output"), sender.clone());
        listen(child.stderr.take().expect("its log"), sender);
        let said = || said.recv_timeout(Duration::from_mins(1)).expect("the server says where it listens");
        let (mut port, mut keys) = (None, any);
        while port.is_none() || keys.is_none() {
            match said() {
                Said::Port(number) => port = Some(number),
                Said::Keys(key, secret) => keys = Some((key, secret)),
            }
        }
        let (port, (key, secret)) = (port.unwrap_or_default(), keys.unwrap_or_default());
        let config = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(key, secret, None)))
            .build();
        let site = Self { ec2: aws_sdk_ec2::Client::new(&config), ssm: aws_sdk_ssm::Client::new(&config), child };
        for number in 0..THERE {
            site.put(number).await;
            let request = site.ec2.create_launch_template().launch_template_name(template(number));
            request.launch_template_data(data()).send().await.expect("a launch template");
        }
        Arc::new(site)
    }

    async fn put(&self, number: usize) {
        let request = self.ssm.put_parameter().name(parameter(number)).value(number.to_string());
        request.r#type(ParameterType::String).overwrite(true).send().await.expect("a parameter");
    }
}

/// What a server says that matters.
enum Said {
    Port(String),
    Keys(String, String),
}

/// Reads all that a server says, or it would wait for a reader, and tells port and keys.
fn listen(output: impl Read + Send + 'static, sender: mpsc::Sender<Said>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let word = |name: &str| Some(line.split_once(name)?.1.split(' ').next()?.to_owned());
            // Said once more when nobody listens any longer.
            if let Some((_, rest)) = line.split_once("127.0.0.1:") {
                let _ = sender.send(Said::Port(rest.chars().take_while(char::is_ascii_digit).collect()));
            } else if let (Some(key), Some(secret)) = (word("AWS_ACCESS_KEY_ID="), word("AWS_SECRET_ACCESS_KEY=")) {
                let _ = sender.send(Said::Keys(key, secret));
            }
        }
    });
}

/// Calls per second, and what the calls took, in order.
struct Measured {
    rate: f64,
    took: Vec<Duration>,
}

impl Measured {
    fn part(&self, of_hundred: usize) -> f64 {
        self.took[(self.took.len() * of_hundred / 100).min(self.took.len() - 1)].as_secs_f64() * 1000.0
    }
}

async fn measure(site: &Arc<Site>, call: fn(Arc<Site>, usize) -> Call, width: usize) -> Measured {
    for number in 0..WARM {
        call(Arc::clone(site), number).await;
    }
    let began = Instant::now();
    let clients: Vec<_> = (0..width)
        .map(|client| {
            let site = Arc::clone(site);
            tokio::spawn(async move {
                let mut took = Vec::new();
                for number in (client..CALLS).step_by(width) {
                    let began = Instant::now();
                    call(Arc::clone(&site), number).await;
                    took.push(began.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.expect("a client"));
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort();
    Measured { rate, took }
}

/// Starts moto and ends it with its standard input, also when the benchmark is killed.
const MOTO: &str = "import os, sys, threading\nfrom moto.server import main\n\
                    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n\
                    main(['-p', '0'])\n";

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("amiforge.yaml"), "project: bench\n").expect("a project");
    let mut own = Command::new(env!("CARGO_BIN_EXE_amiforge"));
    own.args(["local", "serve"]).current_dir(folder.path());
    let own = Site::start(&mut own, None).await;
    let python = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../aws-cli/bin/python");
    assert!(python.exists(), "this needs moto: run scripts/test-prerequisites with the same CARGO_TARGET_DIR");
    let moto = Site::start(Command::new(python).args(["-c", MOTO]), Some(("any".to_owned(), "any".to_owned()))).await;
    println!(
        "{:<36} {:>7} {:>17} {:>17} {:>17} {:>7}",
        "", "clients", "calls/s own moto", "median ms", "99 of 100 ms", "ratio"
    );
    for (row, (name, call)) in KINDS.into_iter().enumerate() {
        for width in WIDTHS {
            let (own, moto) = if row % 2 == 0 {
                let own = measure(&own, call, width).await;
                (own, measure(&moto, call, width).await)
            } else {
                let moto = measure(&moto, call, width).await;
                (measure(&own, call, width).await, moto)
            };
            println!(
                "{name:<36} {width:>7} {:>8.0} {:>8.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>7.1}",
                own.rate,
                moto.rate,
                own.part(50),
                moto.part(50),
                own.part(99),
                moto.part(99),
                own.rate / moto.rate
            );
        }
    }
}
