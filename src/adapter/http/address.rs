//! Where calls may go.

use std::net::{IpAddr, SocketAddr};

use super::super::Fault;

/// Refuses URLs that are not `http(s)`, and literal addresses that are not public unless `private` ones are allowed.
pub(super) fn public_or(private: bool, url: &url::Url) -> Result<(), Fault> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Fault::NotSent(format!("`{}` links are not fetched", url.scheme())));
    }
    let address = match url.host() {
        Some(url::Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(url::Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        _ => None,
    };
    match address {
        Some(address) if !private && !is_public(address) => {
            Err(Fault::NotSent(format!("{address} is not a public address, so its page is not fetched")))
        }
        _ => Ok(()),
    }
}

/// Not loopback, private, link-local, shared, documentation, multicast or otherwise special (IANA's registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(a == 0
                || a == 10
                || a == 127
                || (a == 100 && (64..128).contains(&b))
                || (a == 169 && b == 254)
                || (a == 172 && (16..32).contains(&b))
                || (a == 192 && b == 0 && (c == 0 || c == 2))
                || (a == 192 && b == 168)
                || (a == 198 && (18..20).contains(&b))
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113)
                || a >= 224)
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            // Only 2000::/3 is global unicast today; documentation, 6to4 and Teredo lie inside it.
            let [first, second, ..] = v6.segments();
            (first & 0xe000) == 0x2000 && first != 0x2002 && !(first == 0x2001 && (second < 0x200 || second == 0x0db8))
        }
    }
}

/// Resolves names to public addresses only, so that a name cannot lead where a literal address may not.
pub(super) struct PublicOnly;

impl reqwest::dns::Resolve for PublicOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.filter(|address| is_public(address.ip())).collect();
            if found.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Whether a host is this very machine.
pub fn is_loopback<T: AsRef<str>>(host: &url::Host<T>) -> bool {
    match host {
        url::Host::Domain(name) => name.as_ref() == "localhost" || name.as_ref().ends_with(".localhost"),
        url::Host::Ipv4(v4) => v4.is_loopback(),
        url::Host::Ipv6(v6) => v6.is_loopback(),
    }
}

/// Checks a server's address: `https`, or plain `http` to loopback alone; no user, query or fragment. Gives it without a
/// trailing slash.
pub fn server_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a server's address holds no user name and no password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a server's address has no `?` and no `#`".to_owned());
    }
    let loopback = is_loopback(&url.host().ok_or("a server's address needs a host")?);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err("plain http is for this very machine alone; write https".to_owned()),
        other => return Err(format!("`{other}` is not a way to reach a server; write https")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_https_or_loopback() {
        assert_eq!(server_url("https://fedi.example/").as_deref(), Ok("https://fedi.example"));
        assert_eq!(server_url("http://127.0.0.1:8001").as_deref(), Ok("http://127.0.0.1:8001"));
        for bad in
            ["http://fedi.example", "ftp://fedi.example", "https://a:b@c.example", "https://c.example/?x", "c.example"]
        {
            assert!(server_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn special_addresses_are_not_public() {
        for special in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "2002:a00::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
        for public in ["1.1.1.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }
}
