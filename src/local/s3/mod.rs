//! Simple Storage Service: buckets and objects, as far as evidence is kept in them.

mod asked;
mod bucket;
mod checksum;
mod chunked;
mod list;
mod object;
mod put;
mod record;

use super::wire::Operation;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateBucket", bucket::create),
    ("DeleteBucket", bucket::delete),
    ("DeleteObject", object::delete),
    ("GetBucketLocation", bucket::location),
    ("GetObject", object::get),
    ("HeadBucket", bucket::head),
    ("HeadObject", object::head),
    ("ListBuckets", bucket::list),
    ("ListObjectsV2", list::objects),
    ("PutObject", put::put),
];
