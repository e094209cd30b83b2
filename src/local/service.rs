//! The services that are served, and what they have of each.

use super::wire::Operation;
use super::{compute, ec2, imagebuilder, ssm, sts};

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// EC2: query protocol, XML answers.
    Ec2,
    /// Image Builder: rest-json.
    ImageBuilder,
    /// Systems Manager: awsJson 1.1.
    Ssm,
    /// Security Token Service: query protocol, XML answers of its own form.
    Sts,
}

impl Service {
    /// The service with that signing name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Ec2, Self::ImageBuilder, Self::Ssm, Self::Sts].into_iter().find(|service| service.name() == name)
    }

    /// Its signing name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::ImageBuilder => "imagebuilder",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// The operation of that name, from this half or from `compute`.
    pub(super) fn operation(self, name: &str) -> Option<Operation> {
        self.own_operation(name).or_else(|| compute::operation(self.name(), name))
    }

    /// The operation of that name that works on documents alone.
    pub(super) fn own_operation(self, name: &str) -> Option<Operation> {
        match self {
            Self::Ec2 => ec2::operation(name),
            Self::ImageBuilder => imagebuilder::operation(name),
            Self::Ssm => ssm::operation(name),
            Self::Sts => sts::operation(name),
        }
    }

    /// The code with which the service answers an operation that it does not have. None of them is retried by an SDK.
    pub(super) const fn unknown_operation(self) -> &'static str {
        match self {
            Self::Ec2 | Self::Sts => "InvalidAction",
            Self::ImageBuilder | Self::Ssm => "UnknownOperationException",
        }
    }
}
