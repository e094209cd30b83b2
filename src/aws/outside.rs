//! What component documents ask of AWS: parameters, metadata, objects, documents.
//!
//! The one place where this program uses credentials that no environment of a project names: whoever runs a component by
//! hand has them in the environment or a profile, as for the AWS CLI. `AWS_ENDPOINT_URL*` count too.

use super::fault::describe;
use super::identity;
use crate::runner::outside::{Chunk, Object, Outside, OutsideError, Parameter};
use aws_config::imds;
use aws_config::{Region, SdkConfig};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Bytes of an object in one request.
const CHUNK: u64 = 8 << 20;

/// An object up to this length is stored by one request, a longer one in parts of it. S3 takes 10,000 parts: 160 GB.
const PART: usize = 16 << 20;

/// Keys below a prefix at most (component-documents.md section 13).
const MOST_KEYS: i32 = 1000;

/// A document may have 64 KB (quota "component size").
const LONGEST_DOCUMENT: u64 = 64 * 1024;

/// How long to wait for the metadata service, which answers at once where there is one.
const METADATA: Duration = Duration::from_secs(2);

/// AWS through the SDK. Nothing is connected before the first question.
///
/// It waits for the SDK on the thread that asks, with a runtime of its own, so it must not be used in async code.
#[derive(Debug, Default)]
pub struct Sdk {
    /// Instead of what the environment variables and the profile say.
    config: Option<SdkConfig>,
    /// Instead of the address that the metadata service has.
    metadata: Option<String>,
    connected: Option<Connected>,
}

#[derive(Debug)]
struct Connected {
    runtime: Runtime,
    config: SdkConfig,
    s3: aws_sdk_s3::Client,
    ssm: aws_sdk_ssm::Client,
}

impl Connected {
    fn new(config: Option<SdkConfig>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = config.unwrap_or_else(|| runtime.block_on(identity::ambient()));
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            // Endpoints of one's own rarely have a name for each bucket.
            .force_path_style(config.endpoint_url().is_some())
            .build();
        let (s3, ssm) = (aws_sdk_s3::Client::from_conf(s3), aws_sdk_ssm::Client::new(&config));
        Ok(Self { runtime, config, s3, ssm })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// An error with the service's code and message.
fn failed<E>(operation: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> OutsideError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| OutsideError(format!("{operation}: {}", describe(&error)))
}

impl Sdk {
    /// With the credentials, Region and endpoints of the environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a configuration, and the metadata service at an address of its own if one is given.
    pub fn of(config: SdkConfig, metadata: Option<String>) -> Self {
        Self { config: Some(config), metadata, connected: None }
    }

    fn connected(&mut self) -> Result<&Connected, OutsideError> {
        if self.connected.is_none() {
            let connected = Connected::new(self.config.clone())
                .map_err(|error| OutsideError(format!("the AWS SDK cannot be started here: {error}")))?;
            self.connected = Some(connected);
        }
        self.connected.as_ref().ok_or_else(|| OutsideError("the AWS SDK cannot be started here".to_owned()))
    }

    /// The whole text of a document in S3.
    fn text(&mut self, object: &Object) -> Result<String, OutsideError> {
        let chunk = self.read(object, 0, None)?;
        if chunk.total > LONGEST_DOCUMENT {
            return Err(OutsideError(format!("it has {} bytes; a component document has 64 KB at most", chunk.total)));
        }
        String::from_utf8(chunk.bytes).map_err(|_| OutsideError("it is not UTF-8 text".to_owned()))
    }

    fn component(&mut self, arn: &str) -> Result<String, OutsideError> {
        let connected = self.connected()?;
        // arn:partition:imagebuilder:region:account:component/…
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty());
        let config = match region {
            Some(region) => connected.config.clone().into_builder().region(Region::new(region.to_owned())).build(),
            None => connected.config.clone(),
        };
        let client = aws_sdk_imagebuilder::Client::new(&config);
        let answer = connected.wait(client.get_component().component_build_version_arn(arn).send());
        let component = answer.map_err(failed("GetComponent"))?.component;
        component
            .and_then(|component| component.data)
            .ok_or_else(|| OutsideError(format!("GetComponent: {arn} has no document that can be read")))
    }
}

impl Outside for Sdk {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        let connected = self.connected()?;
        let answer = connected.wait(connected.ssm.get_parameter().name(name).with_decryption(true).send());
        let found = answer.map_err(failed("GetParameter"))?.parameter;
        let found = found.ok_or_else(|| OutsideError(format!("GetParameter: {name} has no value")))?;
        let secret =
            found.r#type == Some(ParameterType::SecureString) || name.starts_with("/aws/reference/secretsmanager/");
        let value = found.value.ok_or_else(|| OutsideError(format!("GetParameter: {name} has no value")))?;
        Ok(Parameter { value, secret })
    }

    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        let path = path.trim_matches('/');
        refuse_credentials(path)?;
        let builder = imds::Client::builder().connect_timeout(METADATA).read_timeout(METADATA).max_attempts(2);
        let builder = match &self.metadata {
            Some(address) => builder.endpoint(address).map_err(|error| OutsideError(error.to_string()))?,
            None => builder,
        };
        let connected = self.connected()?;
        let client = builder.build();
        connected
            .wait(client.get(format!("/latest/meta-data/{path}")))
            .map(String::from)
            .map_err(|error| OutsideError(format!("the metadata {path}: {}", DisplayErrorContext(&error))))
    }

    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        if reference.starts_with("arn:") {
            return self.component(reference);
        }
        let place = reference.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let Some((bucket, key)) = place.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) else {
            return Err(OutsideError(format!("`{reference}` is neither an ARN nor an address of S3: s3://bucket/key")));
        };
        let object = Object { bucket: bucket.to_owned(), key: key.to_owned(), owner: owner.map(str::to_owned) };
        self.text(&object)
    }

    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        let connected = self.connected()?;
        let request = connected.s3.list_objects_v2().bucket(&prefix.bucket).prefix(&prefix.key).max_keys(MOST_KEYS);
        let answer = connected.wait(request.set_expected_bucket_owner(prefix.owner.clone()).send());
        let found = answer.map_err(failed("ListObjectsV2"))?;
        if found.is_truncated == Some(true) {
            // Some of them would be no download.
            return Err(OutsideError(format!(
                "more than {MOST_KEYS} objects begin with this prefix, which is the limit"
            )));
        }
        Ok(found.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect())
    }

    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        let connected = self.connected()?;
        let get = |range: Option<String>| {
            let request = connected.s3.get_object().bucket(&object.bucket).key(&object.key).set_range(range);
            let request = request.set_if_match(etag.map(str::to_owned));
            request.set_expected_bucket_owner(object.owner.clone()).send()
        };
        connected.wait(async {
            let answer = match get(Some(format!("bytes={offset}-{}", offset + CHUNK - 1))).await {
                // Of nothing there is no part.
                Err(error) if offset == 0 && error.code() == Some("InvalidRange") => get(None).await,
                answer => answer,
            };
            let found = answer.map_err(failed("GetObject"))?;
            let length = found.content_length.and_then(|length| u64::try_from(length).ok());
            // `bytes 0-9/100`
            let whole = found.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
            let etag = found.e_tag.clone().unwrap_or_default();
            let bytes = found.body.collect().await;
            let bytes = bytes.map_err(|error| OutsideError(format!("GetObject: {}", DisplayErrorContext(&error))))?;
            let bytes = bytes.into_bytes().to_vec();
            let total = whole.or(length).unwrap_or(bytes.len() as u64);
            Ok(Chunk { bytes, etag, total })
        })
    }

    fn write(&mut self, object: &Object, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        let connected = self.connected()?;
        let mut pieces = Pieces { next, rest: Vec::new(), ended: false };
        let first = pieces.part()?;
        if pieces.ended {
            let request = connected.s3.put_object().bucket(&object.bucket).key(&object.key).body(first.into());
            let answer = connected.wait(request.set_expected_bucket_owner(object.owner.clone()).send());
            return answer.map(drop).map_err(failed("PutObject"));
        }
        Upload::begin(connected, object)?.all(first, &mut pieces)
    }
}

/// Credentials of the machine's role are no metadata for a document (component-documents.md 6.5).
pub(super) fn refuse_credentials(path: &str) -> Result<(), OutsideError> {
    let refused = ["iam", "identity-credentials"].into_iter().any(|name| path.split('/').next() == Some(name));
    if refused {
        return Err(OutsideError(format!("the metadata {path} is refused: it holds the machine's credentials")));
    }
    Ok(())
}

/// What `next` hands out, in parts of one size.
struct Pieces<'a> {
    next: &'a mut dyn FnMut() -> io::Result<Vec<u8>>,
    rest: Vec<u8>,
    ended: bool,
}

impl Pieces<'_> {
    /// The next part; a short one, which may be empty, is the last.
    fn part(&mut self) -> Result<Vec<u8>, OutsideError> {
        while !self.ended && self.rest.len() < PART {
            let piece = (self.next)().map_err(|error| OutsideError(error.to_string()))?;
            self.ended = piece.is_empty();
            self.rest.extend(piece);
        }
        let after = self.rest.split_off(self.rest.len().min(PART));
        // What is left over is another part, so this one was not the last.
        self.ended = self.ended && after.is_empty();
        Ok(std::mem::replace(&mut self.rest, after))
    }
}

/// An upload in parts. One that fails is taken back, because S3 keeps, and bills, the parts of those that are not.
struct Upload<'a> {
    connected: &'a Connected,
    object: &'a Object,
    id: String,
    parts: Vec<CompletedPart>,
}

impl<'a> Upload<'a> {
    fn begin(connected: &'a Connected, object: &'a Object) -> Result<Self, OutsideError> {
        let request = connected.s3.create_multipart_upload().bucket(&object.bucket).key(&object.key);
        let answer = connected.wait(request.set_expected_bucket_owner(object.owner.clone()).send());
        let id = answer.map_err(failed("CreateMultipartUpload"))?.upload_id;
        let id = id.ok_or_else(|| OutsideError("CreateMultipartUpload: the answer names no upload".to_owned()))?;
        Ok(Self { connected, object, id, parts: Vec::new() })
    }

    fn all(mut self, first: Vec<u8>, pieces: &mut Pieces<'_>) -> Result<(), OutsideError> {
        let stored = self.store(first, pieces).and_then(|()| self.complete());
        if stored.is_err() {
            let Object { bucket, key, owner } = self.object;
            let request = self.connected.s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(&self.id);
            // The error that led here is the one to tell.
            let _ = self.connected.wait(request.set_expected_bucket_owner(owner.clone()).send());
        }
        stored
    }

    fn store(&mut self, first: Vec<u8>, pieces: &mut Pieces<'_>) -> Result<(), OutsideError> {
        let mut part = first;
        loop {
            self.put(part)?;
            if pieces.ended {
                return Ok(());
            }
            part = pieces.part()?;
            if part.is_empty() {
                return Ok(());
            }
        }
    }

    fn put(&mut self, part: Vec<u8>) -> Result<(), OutsideError> {
        let Object { bucket, key, owner } = self.object;
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let request = self.connected.s3.upload_part().bucket(bucket).key(key).upload_id(&self.id).part_number(number);
        let request = request.set_expected_bucket_owner(owner.clone()).body(ByteStream::from(part));
        let stored = self.connected.wait(request.send()).map_err(failed("UploadPart"))?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(stored.e_tag);
        self.parts.push(part.set_checksum_crc32(stored.checksum_crc32).build());
        Ok(())
    }

    fn complete(&mut self) -> Result<(), OutsideError> {
        let Object { bucket, key, owner } = self.object;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let request = self.connected.s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(&self.id);
        let request = request.set_expected_bucket_owner(owner.clone()).multipart_upload(parts);
        self.connected.wait(request.send()).map(drop).map_err(failed("CompleteMultipartUpload"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_no_metadata() {
        for path in ["iam/security-credentials/role", "iam", "identity-credentials/ec2/info"] {
            assert!(Sdk::new().metadata(path).unwrap_err().0.contains("is refused"), "{path}");
            assert!(refuse_credentials(path).is_err());
        }
        assert!(refuse_credentials("placement/region").is_ok() && refuse_credentials("iamnot").is_ok());
    }

    #[test]
    fn what_is_no_reference_to_a_document_is_said_without_asking_anyone() {
        for reference in ["/local/file", "s3://bucket", "s3:///key", "s3://bucket/"] {
            let error = Sdk::new().document(reference, None).unwrap_err().0;
            assert!(error.contains("neither an ARN nor an address of S3"), "{error}");
        }
    }

    fn parts(lengths: &[usize]) -> Vec<usize> {
        let mut lengths = lengths.iter();
        let mut next = || Ok(vec![0; lengths.next().copied().unwrap_or(0)]);
        let mut pieces = Pieces { next: &mut next, rest: Vec::new(), ended: false };
        let mut found = Vec::new();
        while !pieces.ended {
            found.push(pieces.part().unwrap().len());
        }
        found
    }

    #[test]
    fn pieces_are_gathered_to_parts() {
        assert_eq!(parts(&[]), [0]);
        assert_eq!(parts(&[5, 6]), [11]);
        assert_eq!(parts(&[PART, 1]), [PART, 1]);
        assert_eq!(parts(&[PART - 1, 2]), [PART, 1]);
        assert_eq!(parts(&[PART]), [PART, 0]);
        assert_eq!(parts(&[3 * PART + 7]), [PART, PART, PART, 7]);
    }

    /// An SDK whose every request `handler` answers.
    fn over(handler: impl Fn(&http::Request<bytes::Bytes>) -> (u16, &'static str) + Send + Sync + 'static) -> Sdk {
        let client = crate::aws::connector::client(std::sync::Arc::new(move |request| {
            let (status, body) = handler(&request);
            http::Response::builder().status(status).body(bytes::Bytes::from_static(body.as_bytes())).unwrap()
        }));
        let credentials = aws_credential_types::Credentials::from_keys("k", "s", None);
        let config = SdkConfig::builder()
            .behavior_version(identity::behavior())
            .region(Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
            .http_client(client)
            .build();
        Sdk::of(config, None)
    }

    const ARN: &str = "arn:aws:imagebuilder:eu-west-1:1:component/x/1.0.0/1";

    #[test]
    fn a_component_is_asked_for_in_its_region() {
        let mut sdk = over(|request| {
            let scope = request.headers()["authorization"].to_str().unwrap();
            assert!(scope.contains("/eu-west-1/imagebuilder/"), "{scope}");
            assert!(
                request.uri().to_string().contains("/GetComponent?componentBuildVersionArn=arn%3Aaws"),
                "{request:?}"
            );
            (200, r#"{"component": {"data": "schemaVersion: 1.0"}}"#)
        });
        assert_eq!(sdk.document(ARN, None).unwrap(), "schemaVersion: 1.0");
        let mut empty = over(|_| (200, r#"{"component": {}}"#));
        assert!(empty.document(ARN, None).unwrap_err().0.contains("has no document that can be read"));
    }

    /// moto does not look at the account, so the header itself is looked at.
    #[test]
    fn every_request_names_the_account_that_must_own_the_bucket() {
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let noted = std::sync::Arc::clone(&seen);
        let mut sdk = over(move |request| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let owner =
                request.headers().get("x-amz-expected-bucket-owner").map(|value| value.to_str().unwrap().to_owned());
            noted.lock().unwrap().push((request.method().to_string(), owner));
            match (request.method().as_str(), query.as_str()) {
                ("GET", query) if query.contains("list-type") => (200, "<ListBucketResult/>"),
                ("GET", _) => (200, "x"),
                ("POST", query) if query.contains("uploads") => {
                    (200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
                }
                ("POST", _) => (400, "<Error><Code>InvalidPart</Code><Message>no</Message></Error>"),
                _ => (200, ""),
            }
        });
        let object = Object { bucket: "b".into(), key: "k".into(), owner: Some("123456789012".into()) };
        sdk.read(&object, 0, None).unwrap();
        sdk.list(&object).unwrap();
        sdk.document("s3://b/k", Some("123456789012")).unwrap();
        sdk.write(&object, &mut || Ok(Vec::new())).unwrap();
        let mut pieces = vec![Vec::new(), vec![0; PART], vec![0; PART]];
        let refused = sdk.write(&object, &mut || Ok(pieces.pop().unwrap())).unwrap_err().0;
        assert_eq!(refused, "CompleteMultipartUpload: InvalidPart: no");
        let seen = seen.lock().unwrap();
        let methods: Vec<&str> = seen.iter().map(|(method, _)| method.as_str()).collect();
        assert_eq!(methods, ["GET", "GET", "GET", "PUT", "POST", "PUT", "PUT", "POST", "DELETE"]);
        assert!(seen.iter().all(|(_, owner)| owner.as_deref() == Some("123456789012")), "{seen:?}");
    }

    #[test]
    fn a_refusal_carries_the_services_code_and_message() {
        let mut sdk = over(|_| (400, r#"{"__type": "ParameterNotFound", "message": "no such thing"}"#));
        assert_eq!(sdk.parameter("/a").unwrap_err().0, "GetParameter: ParameterNotFound: no such thing");
    }
}
