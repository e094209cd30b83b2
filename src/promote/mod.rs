//! Channels, releases, promotion, rollback.
