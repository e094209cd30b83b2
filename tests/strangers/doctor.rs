//! `doctor` against moto, through the SDK and over the network: what it finds of EC2, IAM, STS, SSM and S3 there.

use crate::folder;
use crate::harness::Env;
use crate::programs::{Moto, python};
use serde_json::Value;

/// moto's only account.
const MOTO: &str = "123456789012";

fn settings(network: &Value, account: &str) -> String {
    let (subnet, group) =
        (network["subnet"].as_str().unwrap_or_default(), network["group"].as_str().unwrap_or_default());
    format!(
        "project: acme\nenvironments:\n  moto:\n    home: {{ account: \"{account}\", region: eu-central-1 }}\n    \
         infrastructure: {{ instance_types: [m5.large], instance_profile: build, subnet: {subnet}, security_groups: [{group}] }}\n  \
         logs:\n    home: {{ account: \"{account}\", region: eu-central-1 }}\n    infrastructure: {{ log_bucket: acme-logs }}\n"
    )
}

struct Site {
    env: Env,
    moto: Moto,
}

impl Site {
    fn make(&self, part: &str) -> Value {
        let script = folder().join("doctor.py");
        let output = python().arg("-B").arg(script).args([self.moto.address(), part]).output().expect("Python starts");
        assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// One check of `doctor`: its status, and what it has found.
    fn check(&self, environment: &str, id: &str) -> (String, String) {
        let output = self
            .env
            .command(&["-e", environment, "doctor", "--only", id, "--format", "json"])
            .env("AWS_ENDPOINT_URL", self.moto.address())
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "any")
            .output()
            .expect("the binary starts");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let check = &report["checks"][0];
        (check["status"].as_str().expect("a status").to_owned(), check["findings"].to_string())
    }

    #[track_caller]
    fn finds(&self, environment: &str, id: &str, status: &str, text: &str) {
        let (found, findings) = self.check(environment, id);
        assert!(found == status && findings.contains(text), "{id} is {found}: {findings}");
    }
}

#[test]
fn doctor_finds_in_moto_what_is_there_and_what_is_missing() {
    let site = Site { env: Env::new(), moto: Moto::start() };
    let network = site.make("network");
    site.env.write("amiforge.yaml", &settings(&network, MOTO));
    site.env.write(
        "recipes/web.yaml",
        "os: debian-12\nparent: { ssm: /own/parent }\nbuild: [patch-linux]\ntest: [boots]\n",
    );
    site.finds("moto", "credentials", "ok", MOTO);
    site.finds("moto", "targets", "ok", "eu-central-1");
    site.finds("moto", "clock", "ok", "the service's clock");
    site.finds("moto", "regions", "ok", "eu-central-1 is enabled");
    site.finds("moto", "parents", "ok", "web x86_64: ami-");
    site.finds("moto", "security-groups", "ok", "let HTTPS out");
    site.finds("moto", "instance-types", "ok", "m5.large");
    site.finds("moto", "network", "problem", "has no endpoint for ssm,");
    site.make("endpoints");
    site.finds("moto", "network", "warning", "vpce-");
    site.make("internet");
    site.finds("moto", "network", "ok", "leads to the internet");
    site.finds("moto", "instance-profile", "problem", "there is no instance profile");
    site.finds("moto", "service-role", "warning", "is not there yet");
    let roles = site.make("roles");
    site.finds("moto", "instance-profile", "warning", "does not have EC2InstanceProfileForImageBuilder");
    // moto names service-linked roles by a rule of its own, which is right for this service or says so here.
    let there = roles["roles"].as_array().expect("roles").iter().any(|name| name == "AWSServiceRoleForImageBuilder");
    site.finds("moto", "service-role", if there { "ok" } else { "warning" }, "AWSServiceRoleForImageBuilder");
    site.finds("logs", "log-bucket", "problem", "there is no bucket");
    site.make("bucket");
    site.finds("logs", "log-bucket", "ok", "acme-logs");
    site.finds("logs", "network", "ok", "the default network");
    site.env.write("amiforge.yaml", &settings(&network, "999999999999"));
    site.finds("moto", "credentials", "problem", "home is 999999999999");
}
