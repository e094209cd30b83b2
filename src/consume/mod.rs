//! What app teams do with a channel.
