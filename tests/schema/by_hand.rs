//! Recipes and `amiforge.yaml`, written by hand: good ones and bad ones.

use crate::project::{Folder, PROJECT, RECIPE, disagreement};
use crate::{Schema, as_editor, report};

fn recipe(lines: &str) -> String {
    format!("os: debian-12\nparent: {{ ssm: /p }}\ntest: [boots]\n{lines}")
}

#[test]
fn both_agree_on_recipes_by_hand() {
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("component-{number}")).collect();
        format!("build: [{}]\n", names.join(", "))
    };
    let long = |length: usize| format!("build: [{{ patch-linux: {{ scope: {} }} }}]\n", "x".repeat(length));
    let mut files = vec![];
    for (good, lines) in [
        (true, String::new()),
        (true, many(19)),
        (false, many(21)),
        (true, long(1_024)),
        (false, long(1_025)),
        (false, "build: [{ patch-linux: { scope: '' } }]".into()),
        (true, "build: [{ patch-linux: { scope: 12, other: true } }]".into()),
        (false, "build: [{ patch-linux: { scope: [] } }]".into()),
        (false, "build: [{ patch-linux: }, { patch-linux: }]".into()),
        (false, "build: [{ a-b: {}, c-d: {} }]".into()),
        (false, "build: [12]".into()),
        (false, "build: boots".into()),
        (true, "version: '1.0'".into()),
        (true, "version: '1073741823.1073741823'".into()),
        (false, "version: '1073741824.0'".into()),
        (false, "version: 1.0".into()),
        (false, "version: '1'".into()),
        (false, "version: '01.0'".into()),
        (false, "version: '1.0.0'".into()),
        (false, "version: 'x.y'".into()),
        (true, "architectures: [arm64]".into()),
        (false, "architectures: [arm64, arm64]".into()),
        (false, "architectures: [amd64]".into()),
        (false, "architectures: []".into()),
        (true, "root_volume:".into()),
        (true, "root_volume: { size_gib: 16000 }".into()),
        (false, "root_volume: { size_gib: 16001 }".into()),
        (false, "root_volume: { size_gib: 0 }".into()),
        (false, "root_volume: { size_gib: '8' }".into()),
        (false, "root_volume: { type: st1 }".into()),
        (false, "gates:".into()),
        (false, "gates: {}".into()),
        (true, "gates: { patches: }".into()),
        (true, "gates: { patches: {} }".into()),
        (false, "gates: { age: }".into()),
        (false, "gates: { age: {} }".into()),
        (true, "gates: { image: { imds_v2: false } }".into()),
        (false, "gates: { image: { imds_v2: false, encrypted: false } }".into()),
        (false, "gates: { tests: optional }".into()),
        (false, "gates: { waivers: [] }".into()),
        (true, "gates: { image: { imds_v2: false, encrypted: false, boot_modes: [uefi] } }".into()),
        (false, "gates: { image: { boot_modes: [bios] } }".into()),
        (false, "gates: { image: { accounts: [111122223333] } }".into()),
        (true, "gates: { tests: { max_skipped: 0 } }".into()),
        (false, "gates: { tests: {} }".into()),
        (false, "gates: { tests: { real: [] } }".into()),
        (true, "gates: { tests: { required: [boots, boots/Ready] } }".into()),
        (false, "gates: { tests: { required: [] } }".into()),
        (false, "gates: { tests: { required: [boots/] } }".into()),
        (false, "gates: { tests: { required: ['boots/a/b'] } }".into()),
        (true, "gates: { vulnerabilities: { scanned_by: ec2 } }".into()),
        (true, "gates: { vulnerabilities: { scanned_by: [image-builder, inspector] } }".into()),
        (false, "gates: { vulnerabilities: { scanned_by: [] } }".into()),
        (false, "gates: { vulnerabilities: { scanned_by: [ec2, ec2] } }".into()),
        (false, "gates: { vulnerabilities: { scanned_by: trivy } }".into()),
        (false, "gates: { vulnerabilities: { scanned_by: ~ } }".into()),
        (true, "gates: { hygiene: required }".into()),
        (true, "gates: { hygiene: { allow: [] } }".into()),
        (true, "gates: { hygiene: { allow: [logs, swap] } }".into()),
        (false, "gates: { hygiene: }".into()),
        (false, "gates: { hygiene: {} }".into()),
        (false, "gates: { hygiene: clean }".into()),
        (false, "gates: { hygiene: { allow: [dirt] } }".into()),
        (true, "gates: { patches: { levels: ~, grace: {} } }".into()),
        (false, "gates: { patches: { levels: { severe: 1 } } }".into()),
        (false, "gates: { patches: { grace: { critical: 7 } } }".into()),
        (false, "gates: { packages: }".into()),
        (false, "gates: { packages: { must_have: [] } }".into()),
        (true, "gates: { packages: { must_have: [], must_not_have: [telnet*] } }".into()),
        (true, "gates: { packages: { must_have: ['openssl >= 1:3.0.11-1~deb12u2, < 4'] } }".into()),
        (false, "gates: { packages: { must_have: ['openssl >=3'] } }".into()),
        (false, "gates: { packages: { must_have: ['open ssl'] } }".into()),
        (false, "gates: { size: {} }".into()),
        (false, "gates: { size: { max_mib: 0 } }".into()),
        (true, "gates: { size: { max_growth: 0 } }".into()),
        (false, "gates: { parent: {} }".into()),
        (false, "gates: { parent: { owners: [] } }".into()),
        (false, "gates: { parent: { owners: [someone] } }".into()),
        (false, "gates: { commands: {} }".into()),
        (false, "gates: { commands: { licences: {} } }".into()),
        (false, "gates: { commands: { licences: { run: [], timeout: 1m } } }".into()),
        (false, "gates: { commands: { licences: { run: [x], shell: x } } }".into()),
        (false, "gates: { commands: { Licences: { run: [x] } } }".into()),
        (true, "gates: { commands: { licences: { shell: x } } }".into()),
        (false, "gates: { without: [everything] }".into()),
        (true, "hooks:".into()),
        (true, "hooks: {}".into()),
        (true, "build: [patch-linux]\nhooks: { before_patch: /a b }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: / }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: \"/a\\nb\" }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: [/a] }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: { a-b: {}, c-d: {} } }".into()),
        (false, format!("build: [patch-linux]\nhooks: {{ after_patch: /{} }}", "x".repeat(1_024))),
        (true, "build: [patch-linux]\npatch_overrides: overrides/cve-2026-1234.yaml".into()),
        (false, "build: [patch-linux]\npatch_overrides: ../x.yaml".into()),
        (false, "build: [patch-linux]\npatch_overrides: overrides/./cve-2026-1234.yaml".into()),
        (false, "build: [patch-linux]\npatch_overrides: /etc/x".into()),
        (false, "build: [patch-linux]\npatch_overrides: https://host/list".into()),
        (false, "build: [patch-linux]\npatch_overrides: { url: http://host/list, sha256: x }".into()),
        (false, "build: [patch-linux]\npatch_overrides: { s3: s3://bucket, owner: '111122223333' }".into()),
        (false, "build: [patch-linux]\npatch_overrides: { s3: s3://bucket/key, owner: 111122223333 }".into()),
        (false, "patch_overrides:".into()),
        (false, "waivers: x".into()),
        (true, "promote:".into()),
        (true, "pipeline:".into()),
        (true, "pipeline: { enabled: false }".into()),
        (true, "pipeline: { schedule: rate(7 days) }".into()),
        (true, "pipeline: { schedule: cron(0 4 ? * MON-FRI *), timezone: Etc/GMT+5 }".into()),
        (false, "pipeline: { schedule: cron(0 4 * * * *) }".into()),
        (false, "pipeline: { schedule: daily }".into()),
        (false, "pipeline: { timezone: UTC }".into()),
        (false, "pipeline: { start: always }".into()),
        (false, "pipeline: { schedule: rate(7 days), timezone: +2 }".into()),
        (false, "pipeline: { schedule: rate(7 days), disable_after: 11 }".into()),
        (false, "pipeline: { schedule: rate(7 days), start: sometimes }".into()),
        (false, "promote: { parameter: 12 }".into()),
        (true, "promote: { parameter: /one, launch_template: [one, two] }".into()),
        (true, "promote: { parameter: [], launch_template: [one] }".into()),
        (true, "promote: { parameter: [] }".into()),
        (false, "promote: { parameter: [], launch_template: [] }".into()),
        (false, "promote: { parameter: [/one, /one] }".into()),
        (false, "promote: { parameter: [/one, 2] }".into()),
        (false, "promote: { launch_template: ~ }".into()),
    ] {
        files.push((good, recipe(&lines)));
    }
    for (good, duration) in [
        (true, "24h"),
        (true, "1w2d3h4m5s"),
        (true, "0d5h"),
        (true, "010m"),
        (false, "0h"),
        (false, "24"),
        (false, "h"),
        (false, "1h1h"),
        (false, "1m1h"),
        (false, "1.5h"),
        (false, "'24 h'"),
        (false, "''"),
        (false, "1y"),
        (false, "~"),
    ] {
        files.push((good, recipe(&format!("gates: {{ age: {{ max: {duration} }} }}"))));
    }
    for (good, parent) in [
        (true, "{ ssm: /p }"),
        (false, "{ ssm: p }"),
        (true, "{ ami: ami-12345678 }"),
        (true, "{ ami: ami-0123456789ABCDEF0 }"),
        (false, "{ ami: ami-123456789 }"),
        (false, "{ ami: i-12345678 }"),
        (true, "{ name: 'debian-12-*', owner: '136693071363' }"),
        (true, "{ name: 'debian-12-*', owner: self }"),
        (false, "{ name: 'debian-12-*' }"),
        (false, "{ name: '', owner: self }"),
        (false, "{ name: 'debian-12-*', owner: everybody }"),
        (false, "{ name: 'debian-12-*', owner: 136693071363 }"),
        (false, "{ ssm: /p, owner: self }"),
        (false, "{ ssm: /p, channel: candidate }"),
        (false, "{ recipe: other, ssm: /p }"),
        (true, "{ image: 'arn:aws:imagebuilder:us-east-1:aws:image/x/1.0.0' }"),
        (false, "{ image: 'arn:aws:imagebuilder:us-east-1:aws:component/x/1.0.0' }"),
        (false, "{ ssm: /p, ami: ami-12345678 }"),
        (false, "{}"),
        (false, ""),
        (false, "{ local: { bootstrap: bookworm } }"),
        (true, "{ ssm: /p, local: { bootstrap: bookworm } }"),
        (false, "{ ssm: /p, local: { bootstrap: trixie } }"),
        (false, "{ ssm: /p, local: { bootstrap: bookworm, packages: ['-y'] } }"),
        (false, "{ ssm: /p, local: { bootstrap: bookworm, packages: [x] } }"),
        (true, "{ ssm: /p, local: { directory: d } }"),
        (true, "{ ssm: /p, local: { directory: d, packages: [] } }"),
        (false, "{ ssm: /p, local: { directory: d, packages: [curl] } }"),
        (false, "{ ssm: /p, local: { directory: d, bootstrap: bookworm, packages: [curl] } }"),
        (true, "{ ssm: /p, local: { oci: 'amazonlinux:2023' } }"),
        (false, "{ ssm: /p, local: { oci: --help } }"),
        (false, "{ ssm: /p, local: { oci: 'a:1', tar: x.tar } }"),
        (false, "{ ssm: /p, local: { oci: 'a:1', packages: [curl] } }"),
        (true, "{ ssm: /p, local: { image: 'saved.tar#app:1' } }"),
        (true, "{ ssm: /p, local: { tar: r.tar.gz } }"),
        (false, "{ ssm: /p, local: { tar: r.tar.gz, mirror: 'http://m/debian' } }"),
        (true, "{ ssm: /p, local: { bootstrap: bookworm, mirror: 'http://m/debian' } }"),
        (false, "{ ssm: /p, local: { bootstrap: bookworm, mirror: 'm/debian' } }"),
        (false, "{ ssm: /p, local: {} }"),
        (false, "{ ssm: /p, local: }"),
    ] {
        files.push((good, format!("os: debian-12\nparent: {parent}\ntest: [boots]\n")));
    }
    for (good, text) in [
        // Whether tests are needed stands in amiforge.yaml.
        (true, "os: debian-12\nparent: { ssm: /p }\n"),
        (true, "os: debian-12\nparent: { ssm: /p }\ntest: []\n"),
        (true, "os: debian-12\nparent: { ssm: /p }\ntest: []\ngates: { age: { max: 1d }, without: [tests] }\n"),
        (false, "os: debian-12\nparent: { ssm: /p }\ngates: { tests: required }\n"),
        (false, "os: Debian-12\nparent: { ssm: /p }\ntest: [boots]\n"),
        (false, "parent: { ssm: /p }\ntest: [boots]\n"),
        (false, "os: debian-12\ntest: [boots]\n"),
        (false, "os: debian-12\nparent: { ami: ami-12345678 }\narchitectures: [x86_64, arm64]\ntest: [boots]\n"),
        (false, "os: windows-server-2022\nparent: { ssm: /p }\narchitectures: [arm64]\ntest: [boots]\n"),
        (false, "os: rhel-9\nparent: { ssm: /p, local: { bootstrap: bookworm } }\ntest: [boots]\n"),
        (true, "os: rhel-9\nparent: { ssm: /p, local: { directory: d } }\ntest: [boots]\n"),
        (true, "os: ubuntu-24.04\nparent: { ssm: /p, local: { bootstrap: noble } }\ntest: [boots]\n"),
        (false, "name: Web\nos: debian-12\nparent: { ssm: /p }\ntest: [boots]\n"),
        (false, "- os\n"),
        (false, "text\n"),
    ] {
        files.push((good, text.to_owned()));
    }
    by_hand("recipes/web.yaml", &RECIPE, &files);
}

#[test]
fn both_agree_on_project_files_by_hand() {
    let home = "home: { account: '111122223333', region: us-east-1 }";
    let tag = |key: usize, value: usize| format!("tags: {{ {}: {} }}", "k".repeat(key), "v".repeat(value));
    let mut files = vec![];
    for (good, lines) in [
        (true, String::new()),
        (true, "environments:".into()),
        (true, "environments: { local: }".into()),
        (true, format!("environments: {{ prod: {{ {home} }} }}")),
        (false, "environments: { prod: }".into()),
        (false, "environments: { prod: {} }".into()),
        (false, format!("environments: {{ Prod: {{ {home} }} }}")),
        (false, "environments: { prod: { home: { account: 111122223333, region: us-east-1 } } }".into()),
        (false, "environments: { prod: { home: { account: '11112222333', region: us-east-1 } } }".into()),
        (false, "environments: { prod: { home: { account: '111122223333', region: us-east } } }".into()),
        (false, "environments: { prod: { home: { account: '111122223333', region: US-east-1 } } }".into()),
        (true, "environments: { prod: { home: { account: '111122223333', region: us-gov-west-1 } } }".into()),
        (true, format!("environments: {{ prod: {{ {home}, infrastructure: }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ subnet: subnet-1 }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ security_groups: [sg-1] }} }} }}")),
        (true, format!("environments: {{ prod: {{ {home}, infrastructure: {{ security_groups: [] }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, targets: [] }} }}")),
        (
            false,
            format!("environments: {{ prod: {{ {home}, targets: [{{ account: '111122223333', regions: [] }}] }} }}"),
        ),
        (true, format!("environments: {{ prod: {{ {home}, infrastructure: {{ hourly_cost: '0.1' }} }} }}")),
        (true, format!("environments: {{ prod: {{ {home}, infrastructure: {{ hourly_cost: '12' }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ hourly_cost: 0.1 }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ hourly_cost: '-1' }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ hourly_cost: '.5' }} }} }}")),
        (true, "environments: { local: { evidence: { bucket: acme-evidence } } }".into()),
        (
            true,
            format!(
                "environments: {{ prod: {{ {home}, evidence: {{ bucket: a1.b, prefix: a/b, region: eu-west-1 }} }} }}"
            ),
        ),
        (false, "environments: { local: { evidence: }}".into()),
        (false, "environments: { local: { evidence: { prefix: x } } }".into()),
        (false, "environments: { local: { evidence: { bucket: Acme } } }".into()),
        (false, "environments: { local: { evidence: { bucket: acme, prefix: /x } } }".into()),
        (false, "environments: { local: { evidence: { bucket: acme, prefix: x/ } } }".into()),
        (false, "environments: { local: { evidence: { bucket: acme, region: europe } } }".into()),
        (false, "environments: { local: { evidence: { bucket: acme, kms_key: key } } }".into()),
        (true, "environments: { local: { encryption: } }".into()),
        (true, "environments: { local: { encryption: { kms_keys: , grants: [] } } }".into()),
        (true, "environments: { local: { encryption: { kms_keys: { us-east-1: alias/golden } } } }".into()),
        (
            true,
            format!(
                "environments: {{ prod: {{ {home}, encryption: {{ grants: [account, autoscaling, role/deploy/web] }} }} }}"
            ),
        ),
        (false, "environments: { local: { encryption: { kms_keys: { us-east-1: golden } } } }".into()),
        (false, "environments: { local: { encryption: { grants: } } }".into()),
        (false, "environments: { local: { encryption: { grants: account } } }".into()),
        (false, "environments: { local: { encryption: { grants: [everybody] } } }".into()),
        (false, "environments: { local: { encryption: { grants: [role/] } } }".into()),
        (false, "environments: { local: { encryption: { grants: [account, account] } } }".into()),
        (true, "channels: { one: }".into()),
        (false, "channels:".into()),
        (false, "channels: {}".into()),
        (false, "channels: { One: }".into()),
        (false, "channels: { one: { soak: 1h } }".into()),
        (true, "channels: { one: { canary: true } }".into()),
        (true, "channels: { one: { canary: { } } }".into()),
        (true, "channels: { one: { canary: { check: status, places: [us-east-1, eu-west-1] } } }".into()),
        (true, "channels: { one: { canary: { places: home, subnet: subnet-1 } } }".into()),
        (false, "channels: { one: { canary: { subnet: subnet-1 } } }".into()),
        (false, "channels: { one: { canary: { places: all, subnet: subnet-1 } } }".into()),
        (false, "channels: { one: { canary: { places: [] } } }".into()),
        (false, "channels: { one: { canary: { places: [us-east-1, us-east-1] } } }".into()),
        (false, "channels: { one: { canary: { check: ping } } }".into()),
        (false, "channels: { one: { canary: { timeout: 10 } } }".into()),
        (false, "channels: { one: { canary: yes please } }".into()),
        (false, "channels: { one: { canary: ~ } }".into()),
        (true, "channels: { one: , two: { after: one, soak: 1h, approval: none } }".into()),
        (false, "channels: { one: { approval: yes } }".into()),
        (true, "channels: { one: { refresh: } }".into()),
        (true, "channels: { one: { refresh: { checkpoints: [100], alarms: [] } } }".into()),
        (false, "channels: { one: { refresh: { checkpoints: [1, 1] } } }".into()),
        (false, "channels: { one: { refresh: { max_healthy: 150 } } }".into()),
        (false, "channels: { one: { refresh: { checkpoint_delay: 5m } } }".into()),
        (false, "channels: { one: { refresh: { rollback: true } } }".into()),
        (true, "tags:".into()),
        (true, tag(128, 256)),
        (false, tag(129, 1)),
        (false, tag(1, 257)),
        (false, "tags: { 'aws:x': y }".into()),
        (false, "tags: { 'amiforge:x': y }".into()),
        (false, "tags: { '': y }".into()),
        (false, "tags: { x: 12 }".into()),
        (true, "tags: { x: '12' }".into()),
        (true, "signing: { key: evidence.pem }".into()),
        (true, "signing: { kms: alias/evidence, trusted_kms: [alias/evidence] }".into()),
        (true, "signing: { kms: 'arn:aws-cn:kms:cn-north-1:111122223333:alias/evidence' }".into()),
        (false, "signing: { kms: evidence }".into()),
        (false, "signing: { kms: 'arn:aws:kms:us-east-1:1111:key/x' }".into()),
        (false, "signing: { key: evidence.pem, kms: alias/evidence }".into()),
        (false, "signing: { trusted_kms: [] }".into()),
        (false, "signing: { trusted_kms: [evidence.pub] }".into()),
        (false, "chanels: {}".into()),
    ] {
        files.push((good, format!("project: acme\n{lines}\n")));
    }
    for (good, name) in [
        (true, "a2"),
        (false, "a"),
        (false, "Acme"),
        (false, "a.b"),
        (false, "-ab"),
        (false, "ab-"),
        (false, "12"),
        (true, "'12'"),
        (false, "~"),
        (false, "[a]"),
    ] {
        files.push((good, format!("project: {name}\n")));
    }
    files.push((true, format!("project: {}\n", "a".repeat(50))));
    files.push((false, format!("project: {}\n", "a".repeat(51))));
    files.push((false, "channels: { one: }\n".to_owned()));
    by_hand("amiforge.yaml", &PROJECT, &files);
}

fn by_hand(file: &str, schema: &Schema, files: &[(bool, String)]) {
    let folder = Folder::new();
    let mut disagreements = vec![];
    for (good, text) in files {
        let seen = as_editor(text).unwrap();
        disagreements.extend(disagreement(&folder, schema, file, "by hand", text, &seen));
        if schema.accepts(&seen) != *good {
            disagreements.push(format!("expected {good}\n{}\n{text}", schema.refusals(&seen)));
        }
    }
    report(&disagreements);
}
