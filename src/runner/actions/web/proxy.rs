//! Which proxy an address is reached through, by the variables of the commands' environment.

use super::address::decode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::BTreeMap;
use std::net::IpAddr;
use ureq::http::Uri;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The value of `Proxy-Authorization`, if it wants one.
    pub authorization: Option<String>,
}

/// The proxies of an environment: one for each scheme, and the hosts that are reached without.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    without: Vec<String>,
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case; lower case counts first, as
    /// curl has it.
    ///
    /// # Errors
    /// A proxy that is not spoken to over plain HTTP (SOCKS, TLS), or no address at all. Going without it is not what was
    /// asked for.
    pub fn of(environment: &BTreeMap<String, String>) -> Result<Self, String> {
        let variable = |name: &str| {
            let found = environment.get(name).or_else(|| environment.get(&name.to_uppercase()));
            found.map(|value| value.trim()).filter(|value| !value.is_empty())
        };
        let proxy = |name: &str| {
            let (name, value) = match (variable(name), variable("all_proxy")) {
                (Some(value), _) => (name, value),
                (None, Some(value)) => ("all_proxy", value),
                (None, None) => return Ok(None),
            };
            Proxy::parse(value).map(Some).ok_or_else(|| {
                format!("the variable {name} names a proxy that cannot be used here: only http://host:port can")
            })
        };
        let without = variable("no_proxy").unwrap_or_default();
        let without = without.split([',', ' ']).map(|part| part.trim().to_ascii_lowercase());
        Ok(Self {
            http: proxy("http_proxy")?,
            https: proxy("https_proxy")?,
            without: without.filter(|part| !part.is_empty()).collect(),
        })
    }

    /// The proxy for an address; `None` to reach it without.
    pub fn towards(&self, address: &Uri) -> Option<&Proxy> {
        let host = address.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let proxy = if address.scheme_str() == Some("https") { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.without.iter().any(|pattern| covers(pattern, &host, address.port_u16())))
    }
}

impl Proxy {
    fn parse(text: &str) -> Option<Self> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) => scheme.eq_ignore_ascii_case("http").then_some(rest)?,
            None => text,
        };
        let authority = rest.split('/').next()?;
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let uri: Uri = format!("http://{place}/").parse().ok()?;
        let authorization = user.map(|user| format!("Basic {}", BASE64.encode(decode(user))));
        Some(Self { host: uri.host()?.to_owned(), port: uri.port_u16().unwrap_or(80), authorization })
    }
}

/// Whether an entry of `no_proxy` means a host: `*`, the name or a domain above it, an address, or a block of addresses.
fn covers(pattern: &str, host: &str, port: Option<u16>) -> bool {
    if pattern == "*" {
        return true;
    }
    if let Some((network, bits)) = pattern.split_once('/') {
        return in_network(network, bits, host);
    }
    // A second colon is one of an IPv6 address.
    let (pattern, wanted) = match pattern.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') => (name, digits.parse::<u16>().ok()),
        _ => (pattern, None),
    };
    if wanted.is_some() && wanted != port {
        return false;
    }
    let domain = pattern.trim_start_matches('*').trim_start_matches('.');
    let below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    !domain.is_empty() && (host == domain || below())
}

fn in_network(network: &str, bits: &str, host: &str) -> bool {
    let (Ok(network), Ok(bits), Ok(host)) = (network.parse::<IpAddr>(), bits.parse::<u32>(), host.parse::<IpAddr>())
    else {
        return false;
    };
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)) << 96, 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    };
    let ((network, width), (host, other)) = (number(network), number(host));
    width == other && bits <= width && (network ^ host).checked_shr(128 - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, String> {
        Proxies::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn towards(variables: &[(&str, &str)], address: &str) -> Option<String> {
        let proxies = proxies(variables).unwrap();
        proxies.towards(&address.parse().unwrap()).map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_stands_in() {
        let all = [("http_proxy", "http://a:1"), ("HTTPS_PROXY", "b:2/"), ("HTTP_PROXY", "http://no:9")];
        assert_eq!(towards(&all, "http://x/").as_deref(), Some("a:1"));
        assert_eq!(towards(&all, "https://x/").as_deref(), Some("b:2"));
        assert_eq!(towards(&[("ALL_PROXY", "c")], "https://x/").as_deref(), Some("c:80"));
        assert_eq!(towards(&[("http_proxy", "")], "http://x/"), None);
        assert_eq!(towards(&[("https_proxy", "http://b")], "http://x/"), None);
    }

    #[test]
    fn user_and_password_are_decoded_once() {
        let found = proxies(&[("http_proxy", "http://me:a%40b@p:3")]).unwrap().http.unwrap();
        assert_eq!(found.authorization.as_deref(), Some("Basic bWU6YUBi"));
    }

    #[test]
    fn a_proxy_of_another_kind_is_an_error_and_no_direct_connection() {
        for value in ["socks5://p:1", "https://p", "http://", "http://a b"] {
            let error = proxies(&[("all_proxy", value)]).unwrap_err();
            assert!(error.contains("the variable all_proxy names a proxy that cannot be used"), "{value}: {error}");
        }
    }

    #[test]
    fn hosts_of_no_proxy_are_reached_directly() {
        for (pattern, address, direct) in [
            ("*", "http://x/", true),
            ("x.org", "http://x.org/", true),
            ("x.org", "http://a.X.org/", true),
            (".x.org", "http://a.x.org/", true),
            ("*.x.org", "http://a.x.org/", true),
            ("x.org", "http://ax.org/", false),
            ("x.org:81", "http://x.org:81/", true),
            ("x.org:81", "http://x.org/", false),
            ("a, b ,c", "http://b/", true),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("0.0.0.0/0", "http://11.1.2.3/", true),
            ("fe80::/10", "http://[fe80::1]/", true),
            ("::1", "http://[::1]/", true),
            ("10.0.0.0/33", "http://10.0.0.0/", false),
            (".", "http://x/", false),
        ] {
            let found = towards(&[("all_proxy", "p"), ("no_proxy", pattern)], address);
            assert_eq!(found.is_none(), direct, "{pattern} {address}");
        }
    }
}
