//! What `local serve` says.

/// What `local serve` prints before it serves: everything a client needs.
#[must_use]
pub fn serving(port: u16) -> String {
    let (key, secret) = crate::local::credentials(crate::local::DEFAULT_ACCOUNT);
    let region = crate::local::DEFAULT_REGION;
    format!(
        "The local environment is served on http://127.0.0.1:{port} until Ctrl-C. In another terminal:\n\n\
         export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}\n\
         aws --endpoint-url http://127.0.0.1:{port} imagebuilder list-images\n"
    )
}
