//! The AMI itself: its attributes, and the tag with the digest of its evidence.

use super::site::Site;
use crate::aws::{CallError, Cloud, tags};
use crate::clock::rfc3339;
use crate::evidence::error::EvidenceError;
use crate::evidence::model::ImageAttributes;
use crate::project::Location;
use aws_sdk_ec2::types::{Image, ImdsSupportValues, Tag};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The attributes of an image that can be launched, and when it was created (RFC 3339).
pub(super) async fn attributes(site: &Site, ami: &str) -> Result<(ImageAttributes, String), EvidenceError> {
    let answer = site.ec2.describe_images().image_ids(ami).send().await;
    let not_found = || EvidenceError::NoImage {
        ami: ami.to_owned(),
        place: format!("{}/{}", site.location.account, site.location.region),
    };
    let answer = answer.map_err(site.fault("DescribeImages")).map_err(|error| {
        let unknown = error.fault.is(&["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"]);
        if unknown { not_found() } else { EvidenceError::Call(error) }
    })?;
    let image = answer.images().first().ok_or_else(not_found)?;
    let state = image.state().map(|state| state.as_str().to_owned()).unwrap_or_default();
    if state != "available" {
        return Err(EvidenceError::ImageState { ami: ami.to_owned(), state });
    }
    Ok((
        ImageAttributes {
            name: image.name().unwrap_or_default().to_owned(),
            state,
            imds_v2: image.imds_support() == Some(&ImdsSupportValues::V20),
            encrypted: encrypted(image),
            public: image.public() == Some(true),
            architecture: image.architecture().map(|arch| arch.as_str().to_owned()).unwrap_or_default(),
        },
        created_at(image.creation_date().unwrap_or_default()),
    ))
}

/// Whether there is a volume and every volume is encrypted.
fn encrypted(image: &Image) -> bool {
    let mut volumes = image.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()).peekable();
    volumes.peek().is_some() && volumes.all(|volume| volume.encrypted() == Some(true))
}

/// EC2 writes fractions of seconds; a time that cannot be read stays as it is, and the gate says so.
fn created_at(text: &str) -> String {
    OffsetDateTime::parse(text, &Rfc3339).map_or_else(|_| text.to_owned(), rfc3339)
}

/// Tags the image with the digest of its evidence.
pub(super) async fn tag(site: &Site, ami: &str, digest: &str) -> Result<(), EvidenceError> {
    let tag = Tag::builder().key(tags::EVIDENCE).value(digest).build();
    site.ec2.create_tags().resources(ami).tags(tag).send().await.map_err(site.fault("CreateTags"))?;
    Ok(())
}

/// The digest that stands on an image; nothing when it was never validated.
pub async fn recorded_digest(cloud: &Cloud, place: &Location, ami: &str) -> Result<Option<String>, EvidenceError> {
    let answer = cloud.ec2(place).describe_images().image_ids(ami).send().await;
    let answer = answer.map_err(CallError::of("DescribeImages", place))?;
    let found = answer.images().first().map(Image::tags).unwrap_or_default();
    let tag = found.iter().find(|tag| tag.key() == Some(tags::EVIDENCE));
    Ok(tag.and_then(Tag::value).map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice};

    fn image(volumes: &[Option<bool>]) -> Image {
        let mapping = |encrypted: &Option<bool>| {
            let volume = EbsBlockDevice::builder().set_encrypted(*encrypted).build();
            BlockDeviceMapping::builder().ebs(volume).build()
        };
        let ephemeral = BlockDeviceMapping::builder().virtual_name("ephemeral0").build();
        volumes
            .iter()
            .fold(Image::builder(), |image, v| image.block_device_mappings(mapping(v)))
            .block_device_mappings(ephemeral)
            .build()
    }

    #[test]
    fn an_image_is_encrypted_when_all_its_volumes_are() {
        assert!(encrypted(&image(&[Some(true), Some(true)])));
        assert!(!encrypted(&image(&[Some(true), Some(false)])));
        assert!(!encrypted(&image(&[Some(true), None])));
        assert!(!encrypted(&image(&[])));
    }

    #[test]
    fn the_creation_time_has_whole_seconds() {
        assert_eq!(created_at("2026-11-23T10:00:00.000Z"), "2026-11-23T10:00:00Z");
        assert_eq!(created_at("soon"), "soon");
    }
}
