//! How `WebDownload` reaches a server: names, proxies, certificates.
//!
//! The HTTP client takes all three from us, because it would take them from this process: its environment, its libraries,
//! certificates compiled into it. Here they are the machine's on which the step runs.

use super::names::Names;
use super::proxy::{Proxies, Proxy};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration as Left;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector, TcpConnector, Transport,
    TransportAdapter,
};

/// Redirects that are followed; curl's default is 50, browsers follow 20, Go's client, which awstoe is written with, 10.
const MOST_REDIRECTS: u32 = 10;

/// How long to wait for a connection, and for a server that has fallen silent.
const CONNECT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_mins(1);

/// Where distributions keep the certificates they trust, in one file: Debian, Arch and Alpine; Red Hat and Amazon; SUSE;
/// Alpine without its package.
const BUNDLES: [&str; 5] = [
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
];

/// What a connection needs of the machine.
#[derive(Debug, Clone)]
pub struct Way {
    names: Names,
    proxies: Proxies,
    certificates: Vec<Certificate<'static>>,
    any_certificate: bool,
}

impl Way {
    /// The way of a machine whose files are below `root`.
    pub fn of(root: &Path, environment: &BTreeMap<String, String>, any_certificate: bool) -> Result<Self, String> {
        let names = Names { hosts: root.join("etc/hosts"), configuration: root.join("etc/resolv.conf"), port: 53 };
        let proxies = Proxies::of(environment)?;
        let certificates = if any_certificate { Vec::new() } else { certificates(root, environment) };
        Ok(Self { names, proxies, certificates, any_certificate })
    }

    /// Has other name servers asked.
    #[cfg(test)]
    pub fn ask(&mut self, names: Names) {
        self.names = names;
    }

    /// A client for one download, whose time is limited.
    pub fn client(&self, left: Option<Duration>) -> ureq::Agent {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&self.certificates))
            .disable_verification(self.any_certificate)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Config::builder()
            .timeout_global(left)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .http_status_as_error(false)
            .max_redirects(MOST_REDIRECTS)
            .max_redirects_will_error(true)
            .user_agent(concat!("amiforge/", env!("CARGO_PKG_VERSION")))
            // A file is wanted as it is.
            .accept_encoding("identity")
            .max_idle_connections(0)
            // Not from this process's environment; the connector below knows the right ones.
            .proxy(None)
            .tls_config(tls)
            .build();
        let connector = TcpConnector::default().chain(Gate(self.clone())).chain(RustlsConnector::default());
        ureq::Agent::with_parts(config, connector, self.clone())
    }
}

/// The certificates a machine trusts: those of `SSL_CERT_FILE`, or of the first bundle that is there.
fn certificates(root: &Path, environment: &BTreeMap<String, String>) -> Vec<Certificate<'static>> {
    let named = environment.get("SSL_CERT_FILE").map(PathBuf::from);
    let usual = BUNDLES.iter().map(|path| root.join(path));
    let text = named.into_iter().chain(usual).find_map(|path| fs::read(path).ok()).unwrap_or_default();
    let items = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    items.collect()
}

/// An error of our own in the client's clothes.
fn error(text: impl Into<String>) -> Error {
    Error::Other(text.into().into())
}

impl Resolver for Way {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let (host, port) = match self.proxies.towards(uri) {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default)),
        };
        let left = match timeout.after {
            Left::Exact(left) => Some(left),
            Left::NotHappening => None,
        };
        let addresses = self.names.addresses(host, left).map_err(|unknown| error(unknown.to_string()))?;
        let mut all = self.empty();
        // The client keeps 16 at most.
        addresses.into_iter().take(16).for_each(|address| all.push(SocketAddr::new(address, port)));
        Ok(all)
    }
}

/// Between the connection and its encryption: speaks to the proxy, and refuses encryption that nobody could check.
#[derive(Debug)]
struct Gate(Way);

impl<In: Transport> Connector<In> for Gate {
    type Out = Either<In, ByProxy<In>>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if details.needs_tls() && !self.0.any_certificate && self.0.certificates.is_empty() {
            return Err(Error::Tls(
                "this machine trusts no certificate, so https cannot be checked: install the package ca-certificates first",
            ));
        }
        Ok(Some(match self.0.proxies.towards(details.uri) {
            None => Either::A(transport),
            Some(proxy) if details.needs_tls() => Either::A(tunnel(proxy, details, transport)?),
            Some(proxy) => {
                let begins = format!("http://{}", details.uri.authority().map_or("", |authority| authority.as_str()));
                Either::B(ByProxy {
                    inner: transport,
                    begins,
                    authorization: proxy.authorization.clone(),
                    begun: false,
                })
            }
        }))
    }
}

/// Has a proxy open a tunnel (RFC 9110 9.3.6).
fn tunnel<In: Transport>(proxy: &Proxy, details: &ConnectionDetails, transport: In) -> Result<In, Error> {
    let mut wire = TransportAdapter::new(transport, details.current_time.clone());
    wire.set_timeout(details.timeout);
    let host = details.uri.host().unwrap_or_default();
    let place = format!("{host}:{}", details.uri.port_u16().unwrap_or(443));
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.extend(["Proxy-Authorization: ", authorization, "\r\n"]);
    }
    request.push_str("\r\n");
    wire.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut byte = [0];
    // What follows the empty line belongs to the tunnel and must not be taken.
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < 64 * 1024 {
        if wire.read(&mut byte)? == 0 {
            return Err(error(format!("the proxy {}:{} hung up", proxy.host, proxy.port)));
        }
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let first = answer.lines().next().unwrap_or_default();
    if first.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) {
        return Ok(wire.into_inner());
    }
    let refused = format!("{}:{} does not open a tunnel to {place}: {first}", proxy.host, proxy.port);
    Err(Error::ConnectProxyFailed(refused))
}

/// A plain request by way of a proxy names the whole address in its first line (RFC 9112 3.2.2).
#[derive(Debug)]
struct ByProxy<In> {
    inner: In,
    begins: String,
    authorization: Option<String>,
    begun: bool,
}

impl<In: Transport> Transport for ByProxy<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if std::mem::replace(&mut self.begun, true) {
            return self.inner.transmit_output(amount, timeout);
        }
        let output = self.inner.buffers().output();
        let text = String::from_utf8_lossy(&output[..amount]).into_owned();
        let (method, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let (line, headers) = rest.split_once("\r\n").unwrap_or((rest, ""));
        let authorization = self.authorization.as_ref();
        let authorization = authorization.map_or_else(String::new, |value| format!("Proxy-Authorization: {value}\r\n"));
        let whole = format!("{method} {}{line}\r\n{authorization}{headers}", self.begins);
        let room = output.get_mut(..whole.len()).ok_or_else(|| error("the address is too long for a proxy"))?;
        room.copy_from_slice(whole.as_bytes());
        self.inner.transmit_output(whole.len(), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}
