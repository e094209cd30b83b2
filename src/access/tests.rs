use super::*;
use crate::project::{AwsConfig, EvidenceBucket, Location, Target};
use std::collections::BTreeSet;

fn place(account: &str, region: &str) -> Location {
    Location { account: account.into(), region: region.into() }
}

fn site() -> Site {
    let home = place("111122223333", "eu-central-1");
    Site {
        project: "acme".into(),
        environment: "aws".into(),
        home: home.clone(),
        home_role: None,
        targets: vec![
            Target { location: home, role: None },
            Target { location: place("444455556666", "us-east-1"), role: Some("amiforge-target".into()) },
        ],
        profile: "build".into(),
        instance_role: "build-role".into(),
        log_bucket: Some("acme-logs".into()),
        document_bucket: Some("acme-documents".into()),
        execution_role: Some("workflows".into()),
        network: Some(("subnet-1".into(), vec!["sg-1".into()])),
        pointers: BTreeSet::from(["/golden/web/x86_64/*".to_owned()]),
        parents: BTreeSet::from(["/aws/service/debian/x".to_owned(), "/own/parent".to_owned()]),
        evidence: Some(EvidenceBucket {
            bucket: "acme-evidence".into(),
            prefix: "images".into(),
            region: Some("eu-west-1".into()),
            kms_key: Some("alias/evidence".into()),
        }),
        signing_key: Some("alias/evidence".into()),
        trusted_keys: vec!["arn:aws:kms:eu-west-1:111122223333:key/k".into(), "1-2".into()],
        key_owners: BTreeSet::new(),
        objects: BTreeSet::new(),
    }
}

fn statement<'a>(policy: &'a Policy, sid: &str) -> &'a Statement {
    policy.statement.iter().find(|one| one.sid == sid).unwrap_or_else(|| panic!("{sid} in {}", policy.json()))
}

#[test]
fn a_plan_may_change_nothing() {
    let policy = caller(&site(), &[Verb::Plan]);
    for action in policy.statement.iter().flat_map(|one| &one.action) {
        let word = action.split(':').nth(1).unwrap();
        assert!(["Get", "List", "Describe"].iter().any(|read| word.starts_with(read)), "{action}");
    }
    insta::assert_snapshot!(policy.json());
}

#[test]
fn resources_are_narrowed_to_the_project() {
    let policy = caller(&site(), &[Verb::Run]);
    assert_eq!(
        statement(&policy, "Project").resource[0],
        "arn:aws:imagebuilder:eu-central-1:111122223333:component/acme-*"
    );
    assert_eq!(
        statement(&policy, "ParentParameters").resource,
        [
            "arn:aws:ssm:eu-central-1:111122223333:parameter/own/parent",
            "arn:aws:ssm:eu-central-1::parameter/aws/service/debian/x"
        ]
    );
    let baseline = statement(&policy, "NewBaseline");
    assert_eq!(baseline.condition.as_ref().unwrap()["StringEquals"]["aws:RequestTag/amiforge:project"], "acme");
    assert_eq!(statement(&policy, "LogObjects").resource, ["arn:aws:s3:::acme-logs/acme-aws/*"]);
    let pass = statement(&policy, "InstanceRole");
    assert_eq!(pass.resource, ["arn:aws:iam::111122223333:role/build-role"]);
    assert_eq!(pass.condition.as_ref().unwrap()["StringEquals"]["iam:PassedToService"], "ec2.amazonaws.com");
    // What is changed is never changed on everything, unless it has to carry the project's tag.
    let anything = |one: &&Statement| one.resource == ["*"] && one.condition.is_none();
    for one in policy.statement.iter().filter(anything) {
        for action in &one.action {
            let word = action.split(':').nth(1).unwrap();
            assert!(["Get", "List", "Describe"].iter().any(|read| word.starts_with(read)), "{action} on everything");
        }
    }
}

#[test]
fn keys_are_allowed_by_their_arn_or_by_what_they_are_called() {
    let policy = caller(&site(), &[Verb::Validate]);
    let signs = statement(&policy, "SigningKey");
    assert_eq!(signs.action, ["kms:GetPublicKey", "kms:Sign"]);
    assert_eq!(signs.resource, ["arn:aws:kms:eu-central-1:111122223333:key/*"]);
    let alias = &signs.condition.as_ref().unwrap()["ForAnyValue:StringEquals"]["kms:ResourceAliases"];
    assert_eq!(alias, "alias/evidence");
    let trusted = statement(&policy, "TrustedKeys");
    assert_eq!(trusted.action, ["kms:GetPublicKey"]);
    let expected = ["arn:aws:kms:eu-central-1:111122223333:key/1-2", "arn:aws:kms:eu-west-1:111122223333:key/k"];
    assert_eq!((trusted.resource.as_slice(), &trusted.condition), (&expected.map(String::from)[..], &None));
    assert!(!caller(&site(), &[Verb::Verify]).json().contains("kms:Sign"));
}

#[test]
fn keys_of_images_are_opened_for_what_launching_takes_and_no_more() {
    let site = Site { key_owners: BTreeSet::from(["777788889999".to_owned()]), ..site() };
    let policy = caller(&site, &[Verb::Promote]);
    let grants = statement(&policy, "GrantedKeys");
    assert_eq!(grants.action, ["kms:CreateGrant"]);
    assert_eq!(grants.resource, ["111122223333", "777788889999"].map(|owner| format!("arn:aws:kms:*:{owner}:key/*")));
    let may_be_granted = &grants.condition.as_ref().unwrap()["ForAllValues:StringEquals"]["kms:GrantOperations"];
    assert_eq!(may_be_granted.as_array().unwrap().len(), 8);
    let used = statement(&policy, "ImageKeys");
    assert!(used.action.contains(&"kms:DescribeKey".to_owned()) && used.action.contains(&"kms:ListGrants".to_owned()));
    assert!(!caller(&site, &[Verb::Restore]).json().contains("kms:"));
}

#[test]
fn evidence_is_written_by_who_collects_it_and_read_by_who_promotes() {
    let policy = caller(&site(), &[Verb::Validate]);
    let objects = statement(&policy, "EvidenceObjects");
    assert_eq!(objects.resource, ["arn:aws:s3:::acme-evidence/images/acme/*"]);
    assert_eq!(objects.action, ["s3:GetObject", "s3:PutObject"]);
    let key = statement(&policy, "EvidenceKey");
    assert_eq!(key.resource, ["arn:aws:kms:eu-west-1:111122223333:key/*"]);
    assert_eq!(key.action, ["kms:Decrypt", "kms:GenerateDataKey"]);
    let policy = caller(&site(), &[Verb::Promote]);
    assert_eq!(statement(&policy, "EvidenceObjects").action, ["s3:GetObject"]);
    assert_eq!(statement(&policy, "EvidenceBucket").action, ["s3:ListBucket"]);
}

#[test]
fn a_target_of_another_account_is_the_business_of_its_role() {
    let site = site();
    let policy = caller(&site, &[Verb::Promote]);
    assert!(!policy.json().contains("444455556666:parameter"), "{}", policy.json());
    assert_eq!(statement(&policy, "Assumed").resource, ["arn:aws:iam::444455556666:role/amiforge-target"]);
    let roles = site.target_roles();
    let (arn, places) = roles.first_key_value().unwrap();
    let role = target(&site, &[Verb::Promote], arn, places);
    assert_eq!(role.name, "amiforge-target");
    assert_eq!(
        statement(&role.policy, "Pointers").resource,
        ["arn:aws:ssm:us-east-1:444455556666:parameter/golden/web/x86_64/*"]
    );
    assert!(!role.policy.json().contains("/amiforge/"), "the books are at home");
    assert!(role.trust.json().contains("arn:aws:iam::111122223333:root"));
}

#[test]
fn a_home_role_and_roles_in_china_are_spelled_right() {
    let mut site = site();
    site.home = place("111122223333", "cn-north-1");
    site.home_role = Some("ci".into());
    site.targets.clear();
    let policy = caller(&site, &[Verb::Promote, Verb::Publish]);
    assert_eq!(statement(&policy, "Assumed").resource, ["arn:aws-cn:iam::111122223333:role/ci"]);
    let pass = statement(&policy, "InstanceRole").condition.clone().unwrap();
    assert_eq!(pass["StringEquals"]["iam:PassedToService"], "ec2.amazonaws.com.cn");
    assert!(caller_notes(&site).iter().any(|note| note.contains("the role `ci`")));
}

#[test]
fn the_instance_role_writes_logs_and_reads_its_lists_and_no_more() {
    let mut site = site();
    site.objects.insert("acme-lists/web.yaml".into());
    let role = instance(&site);
    assert_eq!(role.managed_policies, INSTANCE_POLICIES);
    assert_eq!(statement(&role.policy, "OverrideLists").resource, ["arn:aws:s3:::acme-lists/web.yaml"]);
    assert_eq!(statement(&role.policy, "BuildLogs").resource, ["arn:aws:s3:::acme-logs/acme-aws/*"]);
    (site.log_bucket, site.document_bucket, site.evidence) = (None, None, None);
    site.objects.clear();
    assert_eq!(instance(&site).policy.statement, []);
    assert!(!caller(&site, &Verb::ENVIRONMENT).json().contains(":s3:"));
}

#[test]
fn names_of_statements_are_unique_and_what_iam_accepts() {
    let policy = caller(&site(), &Verb::ENVIRONMENT);
    let mut seen = BTreeSet::new();
    for one in &policy.statement {
        assert!(one.sid.chars().all(|c| c.is_ascii_alphanumeric()) && seen.insert(&one.sid), "{}", one.sid);
        assert!(!one.action.is_empty() && !one.resource.is_empty(), "{}", one.sid);
    }
}

#[test]
fn what_is_missing_is_cut_out_as_it_stands() {
    let policy = caller(&site(), &[Verb::Publish]);
    let wanted = BTreeSet::from([("Project".to_owned(), "imagebuilder:CreateComponent".to_owned())]);
    let part = only(&policy, &wanted);
    assert_eq!(part.statement.len(), 1);
    assert_eq!(part.statement[0].action, ["imagebuilder:CreateComponent"]);
    assert_eq!(part.statement[0].resource, statement(&policy, "Project").resource);
}

#[test]
fn a_site_is_read_from_the_project() {
    let (mut project, recipe) = crate::access::tests::project();
    project.recipes.insert("debian-12".into(), recipe);
    let config = AwsConfig::at(place("111122223333", "eu-central-1"));
    let site = Site::of(&project, "prod", &config, None);
    assert_eq!(
        (site.profile.as_str(), site.instance_role.as_str()),
        ("EC2InstanceProfileForImageBuilder", "EC2InstanceProfileForImageBuilder")
    );
    assert!(site.pointers.iter().any(|name| name.ends_with("/*")), "{:?}", site.pointers);
    assert_eq!(site.parents.len(), 1);
}

fn project() -> (crate::project::Project, crate::project::Recipe) {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("amiforge.yaml", "project: acme\n");
    write(
        "recipes/debian-12.yaml",
        "os: debian-12\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{ debian_arch }}\nbuild: [patch-linux]\ntest: [boots]\n",
    );
    let mut project = crate::project::load(folder.path()).unwrap();
    let recipe = project.recipes.remove("debian-12").unwrap();
    (project, recipe)
}
