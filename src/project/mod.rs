//! `amiforge.yaml`, recipes, baselines, waivers: read, checked, located (file, line, column).

mod model;

pub use model::*;
