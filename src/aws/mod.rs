//! Clients per account and Region, retry classification, tags, waiting.
