//! The services that are served, and what they have of each.

use super::wire::{Operation, ServiceError};
use super::{autoscaling, compute, ec2, imagebuilder, kms, s3, ssm, sts};

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// EC2 Auto Scaling: query protocol, XML answers of its own form.
    AutoScaling,
    /// EC2: query protocol, XML answers.
    Ec2,
    /// Image Builder: rest-json.
    ImageBuilder,
    /// Amazon Inspector: rest-json with paths of its own.
    Inspector,
    /// Key Management Service: awsJson 1.1.
    Kms,
    /// Simple Storage Service: rest-xml.
    S3,
    /// Systems Manager: awsJson 1.1.
    Ssm,
    /// Security Token Service: query protocol, XML answers of its own form.
    Sts,
}

impl Service {
    /// All of them, by name.
    pub(super) const ALL: [Self; 8] =
        [Self::AutoScaling, Self::Ec2, Self::ImageBuilder, Self::Inspector, Self::Kms, Self::S3, Self::Ssm, Self::Sts];

    /// The service with that signing name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Its signing name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AutoScaling => "autoscaling",
            Self::Ec2 => "ec2",
            Self::ImageBuilder => "imagebuilder",
            Self::Inspector => "inspector2",
            Self::Kms => "kms",
            Self::S3 => "s3",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// The operation of that name, from this half or from `compute`.
    pub(super) fn operation(self, name: &str) -> Option<Operation> {
        find(self.own(), name).or_else(|| find(self.running(), name))
    }

    /// The operation of that name that works on documents alone.
    pub(super) fn own_operation(self, name: &str) -> Option<Operation> {
        find(self.own(), name)
    }

    /// The names of all its operations, in alphabetical order.
    pub(super) fn operations(self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.own().iter().chain(self.running()).map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    /// What works on documents alone.
    const fn own(self) -> Table {
        match self {
            Self::AutoScaling => autoscaling::OPERATIONS,
            Self::Ec2 => ec2::OPERATIONS,
            Self::ImageBuilder => imagebuilder::OPERATIONS,
            Self::Inspector => &[],
            Self::Kms => kms::OPERATIONS,
            Self::S3 => s3::OPERATIONS,
            Self::Ssm => ssm::OPERATIONS,
            Self::Sts => sts::OPERATIONS,
        }
    }

    /// What builds, runs and scans.
    const fn running(self) -> Table {
        match self {
            Self::Ec2 => compute::EC2,
            Self::ImageBuilder => compute::IMAGEBUILDER,
            Self::Inspector => compute::INSPECTOR,
            Self::Ssm => compute::SSM,
            Self::AutoScaling | Self::Kms | Self::S3 | Self::Sts => &[],
        }
    }

    /// The answer to an operation that is not here.
    pub(super) fn lacks(self, operation: &str) -> ServiceError {
        let text = format!("The operation {operation} of {} is not in the local environment.", self.name());
        ServiceError::client(self.unknown_operation(), text)
    }

    /// The code with which the service answers an operation that it does not have. None of them is retried by an SDK.
    const fn unknown_operation(self) -> &'static str {
        match self {
            Self::AutoScaling | Self::Ec2 | Self::Sts => "InvalidAction",
            Self::S3 => "NotImplemented",
            Self::ImageBuilder | Self::Inspector | Self::Kms | Self::Ssm => "UnknownOperationException",
        }
    }
}

/// Operations by name.
type Table = &'static [(&'static str, Operation)];

fn find(table: Table, name: &str) -> Option<Operation> {
    table.iter().find(|(known, _)| *known == name).map(|(_, operation)| *operation)
}

/// Everything that the local environment has: signing name of the service and operation, in alphabetical order.
#[must_use]
pub fn operations() -> Vec<(&'static str, &'static str)> {
    Service::ALL
        .into_iter()
        .flat_map(|service| service.operations().into_iter().map(move |name| (service.name(), name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operation_is_there_twice() {
        let operations = operations();
        assert!(operations.is_sorted_by(|a, b| a < b), "{operations:?}");
        assert!(operations.contains(&("ec2", "RunInstances")) && operations.contains(&("sts", "AssumeRole")));
    }
}
