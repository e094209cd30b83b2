//! What the components of a build may ask for: of this environment what it has, of the world beyond the rest.

use crate::local::Local;
use crate::local::compute::instance::{INSTANCE, InstanceRecord, hostname};
use crate::local::ssm;
use crate::local::store::Scope;
use crate::runner::outside::{Chunk, Object, Outside, OutsideError, Parameter};
use std::io;

/// Parameters and components are those of the local environment, metadata is that of the instance. Objects, and documents
/// among them, are asked of the world beyond (see [`Beyond`](crate::local::Beyond)).
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) local: &'a Local,
    pub(super) scope: &'a Scope,
    pub(super) instance_id: &'a str,
    pub(super) beyond: Box<dyn Outside + Send>,
}

impl Surroundings<'_> {
    fn record(&self) -> Result<InstanceRecord, OutsideError> {
        let found = self.local.store.read(|tx| tx.get::<InstanceRecord>(self.scope, INSTANCE, self.instance_id));
        let found = found.map_err(|error| OutsideError(error.to_string()))?;
        found.ok_or_else(|| OutsideError(format!("the instance {} is not known", self.instance_id)))
    }
}

impl Outside for Surroundings<'_> {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        if name.starts_with("/aws/reference/secretsmanager/") {
            let message = "the local environment has no Secrets Manager; keep the value in a SecureString parameter";
            return Err(OutsideError(format!("{name}: {message}")));
        }
        let (value, secret) = ssm::parameter(self.local, self.scope, name)
            .map_err(|error| OutsideError(format!("GetParameter of the local environment: {error}")))?;
        Ok(Parameter { value, secret })
    }

    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        let path = path.trim_matches('/');
        let record = self.record()?;
        let region = &self.scope.region;
        Ok(match path {
            "instance-id" => record.id,
            "ami-id" => record.image,
            "instance-type" => record.instance_type,
            "local-ipv4" => record.address,
            "hostname" | "local-hostname" => hostname(&record.address),
            "placement/region" => region.clone(),
            "placement/availability-zone" => format!("{region}a"),
            _ => {
                return Err(OutsideError(format!(
                    "the metadata {path} is not real in the local environment, which has instance-id, ami-id, \
                     instance-type, local-ipv4, hostname, placement/region and placement/availability-zone"
                )));
            }
        })
    }

    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        if reference.starts_with("s3://") {
            return self.beyond.document(reference, owner);
        }
        super::resolve::document(self.local, self.scope, reference)
            .map_err(|error| OutsideError(format!("GetComponent of the local environment: {error}")))
    }

    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        self.beyond.list(prefix)
    }

    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        self.beyond.read(object, offset, etag)
    }

    fn write(&mut self, object: &Object, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        self.beyond.write(object, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::compute::instance::tests::record;
    use crate::local::tests::Bench;
    use crate::runner::outside::Nowhere;
    use crate::runner::table::{Table, Values};
    use serde_json::json;
    use std::collections::BTreeMap;

    const DOCUMENT: &str = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - { name: Run, action: ExecuteBash, inputs: { commands: [id] } }\n";

    fn surroundings<'a>(bench: &'a Bench, scope: &'a Scope) -> Surroundings<'a> {
        Surroundings { local: &bench.local, scope, instance_id: "i-1", beyond: Box::new(Nowhere) }
    }

    #[test]
    fn parameters_are_those_of_the_local_environment() {
        let (bench, scope) = (Bench::new(), Bench::new().scope());
        for (name, kind) in [("/a", "String"), ("/s", "SecureString")] {
            bench
                .ssm("PutParameter", &json!({"Name": name, "Value": format!("value of {name}"), "Type": kind}))
                .unwrap();
        }
        let mut around = surroundings(&bench, &scope);
        let found = |value: &str, secret| Parameter { value: value.into(), secret };
        assert_eq!(around.parameter("/a"), Ok(found("value of /a", false)));
        assert_eq!(around.parameter("/a:1"), Ok(found("value of /a", false)));
        assert_eq!(around.parameter("/s"), Ok(found("value of /s", true)));
        let error = around.parameter("/none").unwrap_err().0;
        assert_eq!(error, "GetParameter of the local environment: ParameterNotFound: Parameter /none not found.");
        let error = around.parameter("/aws/reference/secretsmanager/x").unwrap_err().0;
        assert!(error.contains("has no Secrets Manager"), "{error}");
    }

    #[test]
    fn metadata_is_what_the_instance_has_and_nothing_else() {
        let (bench, scope) = (Bench::new(), Bench::new().scope());
        let record = record("i-1");
        bench.local.store.write(|tx| tx.put(&scope, INSTANCE, &record.id, &record)).unwrap();
        let mut around = surroundings(&bench, &scope);
        for (path, value) in [
            ("instance-id", "i-1"),
            ("/ami-id/", "ami-1"),
            ("instance-type", "m7i.large"),
            ("local-ipv4", "10.0.1.2"),
            ("hostname", "ip-10-0-1-2"),
            ("placement/region", "us-east-1"),
            ("placement/availability-zone", "us-east-1a"),
        ] {
            assert_eq!(around.metadata(path).as_deref(), Ok(value), "{path}");
        }
        for path in ["public-ipv4", "iam/security-credentials/role"] {
            assert!(around.metadata(path).unwrap_err().0.contains("is not real in the local environment"), "{path}");
        }
        around.instance_id = "i-2";
        assert!(around.metadata("ami-id").unwrap_err().0.contains("the instance i-2 is not known"));
    }

    #[test]
    fn components_are_here_and_objects_are_beyond() {
        let (bench, scope) = (Bench::new(), Bench::new().scope());
        let request = json!({
            "name": "child", "semanticVersion": "1.0.0", "platform": "Linux", "data": DOCUMENT,
            "clientToken": "0123456789abcdef0123456789abcdef0123"
        });
        let answer = bench.builder("CreateComponent", &request).unwrap();
        let arn = answer["componentBuildVersionArn"].as_str().unwrap();
        let mut around = surroundings(&bench, &scope);
        assert_eq!(around.document(arn, None).as_deref(), Ok(DOCUMENT));
        let error = around.document(&arn.replace("/child/", "/other/"), None).unwrap_err().0;
        assert!(error.starts_with("GetComponent of the local environment: ResourceNotFoundException: "), "{error}");
        let object = Object { bucket: "b".into(), key: "f".into(), owner: None };
        assert!(around.read(&object, 0, None).unwrap_err().0.contains("no connection to AWS"));
        let file = bench.folder().join("f");
        std::fs::write(&file, "content").unwrap();
        let values = Values { s3: BTreeMap::from([("s3://b/f".into(), file)]), ..Values::default() };
        around.beyond = Box::new(Table::new(values, Nowhere));
        assert_eq!(around.read(&object, 0, None).unwrap().bytes, b"content");
        assert_eq!(around.list(&object), Ok(vec!["f".to_owned()]));
        assert_eq!(around.document("s3://b/f", None).as_deref(), Ok("content"));
        assert!(around.write(&object, &mut || Ok(Vec::new())).is_err());
    }
}
