//! Starts and follows image builds; finds the reason of a failure.
