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
