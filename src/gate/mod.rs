//! Evidence and policy in, verdicts out. Pure.
