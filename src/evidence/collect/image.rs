//! The AMI itself: its attributes, and the tag with the digest of its evidence.

use super::site::Site;
use crate::aws::{CallError, Cloud, tags};
use crate::clock::rfc3339;
use crate::evidence::error::EvidenceError;
use crate::evidence::model::{Ancestor, Ancestry, ImageAttributes, Volume};
use crate::project::Location;
use aws_sdk_ec2::types::{BlockDeviceMapping, Image, ImageAttributeName, ImdsSupportValues, LaunchPermission, Tag};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How many images back a descent is followed.
const GENERATIONS: usize = 8;

/// What an image says of itself.
pub(super) struct Described {
    pub(super) attributes: ImageAttributes,
    /// When it was created (RFC 3339).
    pub(super) created_at: String,
    /// The image that it was made from, where EC2 knows it, and the Region of that one.
    source: Option<(String, Option<String>)>,
    /// When Amazon Inspector scanned it last.
    pub(super) scanned: Option<OffsetDateTime>,
}

/// The attributes of an image that can be launched.
pub(super) async fn attributes(site: &Site, ami: &str) -> Result<Described, EvidenceError> {
    let not_found = || EvidenceError::NoImage {
        ami: ami.to_owned(),
        place: format!("{}/{}", site.location.account, site.location.region),
    };
    let image = describe(site, ami).await?.ok_or_else(not_found)?;
    let state = image.state().map(|state| state.as_str().to_owned()).unwrap_or_default();
    if state != "available" {
        return Err(EvidenceError::ImageState { ami: ami.to_owned(), state });
    }
    let owner = image.owner_id().unwrap_or_default().to_owned();
    let shared_with = if owner == site.location.account { Some(permitted(site, ami).await?) } else { None };
    Ok(Described {
        attributes: ImageAttributes {
            name: image.name().unwrap_or_default().to_owned(),
            state,
            owner,
            imds_v2: image.imds_support() == Some(&ImdsSupportValues::V20),
            encrypted: encrypted(&image),
            public: image.public() == Some(true),
            architecture: image.architecture().map(|arch| arch.as_str().to_owned()).unwrap_or_default(),
            ena: image.ena_support() == Some(true),
            boot_mode: image.boot_mode().map(|mode| mode.as_str().to_owned()),
            shared_with,
            root_device: image.root_device_name().unwrap_or_default().to_owned(),
            volumes: volumes(&image),
        },
        created_at: created_at(image.creation_date().unwrap_or_default()),
        source: source(&image),
        scanned: image.scan_results().and_then(super::findings::date),
    })
}

/// The image; nothing when there is none that we may see.
pub(super) async fn describe(site: &Site, ami: &str) -> Result<Option<Image>, EvidenceError> {
    let answer = site.ec2.describe_images().image_ids(ami).send().await;
    match answer.map_err(site.fault("DescribeImages")) {
        Ok(answer) => Ok(answer.images.unwrap_or_default().into_iter().next()),
        Err(error) if error.fault.is(&ABSENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What EC2 says of an image that is not there.
const ABSENT: [&str; 3] = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"];

/// The accounts that may launch it besides the owner, sorted. Organizations stand there by their ARN.
async fn permitted(site: &Site, ami: &str) -> Result<Vec<String>, EvidenceError> {
    let call = site.ec2.describe_image_attribute().image_id(ami).attribute(ImageAttributeName::LaunchPermission);
    let answer = call.send().await.map_err(site.fault("DescribeImageAttribute"))?;
    let who = |permission: &LaunchPermission| {
        let names = [permission.user_id(), permission.organization_arn(), permission.organizational_unit_arn()];
        names.into_iter().flatten().next().map(str::to_owned)
    };
    let mut accounts: Vec<String> = answer.launch_permissions().iter().filter_map(who).collect();
    accounts.sort();
    accounts.dedup();
    Ok(accounts)
}

fn volumes(image: &Image) -> Vec<Volume> {
    let volume = |mapping: &BlockDeviceMapping| {
        let ebs = mapping.ebs()?;
        Some(Volume {
            device: mapping.device_name().unwrap_or_default().to_owned(),
            gib: ebs.volume_size().and_then(|size| u32::try_from(size).ok()),
            encrypted: ebs.encrypted() == Some(true),
            kind: ebs.volume_type().map(|kind| kind.as_str().to_owned()),
            snapshot: ebs.snapshot_id().map(str::to_owned),
        })
    };
    image.block_device_mappings().iter().filter_map(volume).collect()
}

fn source(image: &Image) -> Option<(String, Option<String>)> {
    let ami = image.source_image_id().filter(|ami| !ami.is_empty())?;
    Some((ami.to_owned(), image.source_image_region().map(str::to_owned)))
}

/// The images that it descends from, the nearest first; nothing when EC2 does not know what it was made from. The chain
/// ends with an image that is not there any more, lies in another Region, or was made from none.
pub(super) async fn ancestry(site: &Site, described: &Described) -> Result<Option<Ancestry>, EvidenceError> {
    let mut images: Vec<Ancestor> = vec![];
    let mut next = described.source.clone();
    while let Some((ami, region)) = next.take() {
        // A circle cannot be; should the answer make one, it is not followed.
        if images.len() == GENERATIONS || images.iter().any(|seen| seen.ami == ami) {
            break;
        }
        let here = region.is_none_or(|region| region == site.location.region);
        let Some(image) = (if here { describe(site, &ami).await? } else { None }) else {
            images.push(Ancestor { ami, ..Ancestor::default() });
            break;
        };
        next = source(&image);
        images.push(Ancestor {
            ami,
            seen: true,
            owner: image.owner_id().unwrap_or_default().to_owned(),
            owner_alias: image.image_owner_alias().map(str::to_owned),
            name: image.name().unwrap_or_default().to_owned(),
            created_at: created_at(image.creation_date().unwrap_or_default()),
        });
    }
    Ok(Some(Ancestry { images }).filter(|ancestry| !ancestry.images.is_empty()))
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

/// Tags an image with the digest of its evidence: from then on that is the evidence that counts.
///
/// # Errors
/// When the call fails.
pub async fn record_digest(cloud: &Cloud, place: &Location, ami: &str, digest: &str) -> Result<(), EvidenceError> {
    let tag = Tag::builder().key(tags::EVIDENCE).value(digest).build();
    let answer = cloud.ec2(place).create_tags().resources(ami).tags(tag).send().await;
    answer.map_err(CallError::of("CreateTags", place))?;
    Ok(())
}

/// The digest that stands on an image; nothing when it was never validated.
pub async fn recorded_digest(cloud: &Cloud, place: &Location, ami: &str) -> Result<Option<String>, EvidenceError> {
    // One that was disabled keeps its tags, and it is asked for before it is enabled again.
    let answer = cloud.ec2(place).describe_images().image_ids(ami).include_disabled(true).send().await;
    let answer = answer.map_err(CallError::of("DescribeImages", place))?;
    let found = answer.images().first().map(Image::tags).unwrap_or_default();
    let tag = found.iter().find(|tag| tag.key() == Some(tags::EVIDENCE));
    Ok(tag.and_then(Tag::value).map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::EbsBlockDevice;

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
