//! What `local serve` says.

/// Keys of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Twelve digits.
    pub account: String,
    /// Access key id.
    pub key: String,
    /// Secret.
    pub secret: String,
}

/// What `local serve` prints before it serves: everything a client needs, with keys of each of these accounts.
#[must_use]
pub fn serving(port: u16, keys: &[Keys]) -> String {
    let region = crate::local::DEFAULT_REGION;
    let exports = keys
        .iter()
        .map(|Keys { account, key, secret }| {
            format!(
                "# account {account}\nexport AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!(
        "The local environment is served on http://127.0.0.1:{port} until Ctrl-C. In another terminal:\n\n\
         {exports}aws --endpoint-url http://127.0.0.1:{port} imagebuilder list-images\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_a_line_to_paste() {
        let keys = |account: &str| Keys { account: account.into(), key: "AKIA".into(), secret: "s".into() };
        insta::assert_snapshot!(serving(4566, &[keys("000000000000"), keys("111122223333")]), @r"
        The local environment is served on http://127.0.0.1:4566 until Ctrl-C. In another terminal:

        # account 000000000000
        export AWS_ACCESS_KEY_ID=AKIA AWS_SECRET_ACCESS_KEY=s AWS_DEFAULT_REGION=us-east-1
        # account 111122223333
        export AWS_ACCESS_KEY_ID=AKIA AWS_SECRET_ACCESS_KEY=s AWS_DEFAULT_REGION=us-east-1
        aws --endpoint-url http://127.0.0.1:4566 imagebuilder list-images
        ");
    }
}
