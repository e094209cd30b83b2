//! Desired resources against the account: fingerprints, versions, the list of changes.
