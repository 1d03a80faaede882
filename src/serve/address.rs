//! Where to listen: `--listen`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A port of this machine.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Nobody but this machine's own processes can get there.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why this is no place to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    /// `9464` and `localhost:9464` are of the loopback; any other address is written out as numbers. `unix:PATH`, or
    /// whatever has a `/`, is a socket's path.
    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let refuse = |why: &str| Err(NoAddress(format!("`{text}` {why}")));
        if let Some(path) = text.strip_prefix("unix:").or_else(|| text.contains('/').then_some(text)) {
            return match path {
                "" => refuse("names no socket; write unix:/run/smm/http.sock"),
                // Everybody on the machine may connect to an abstract one, whatever its mode.
                path if path.starts_with('@') => refuse("is an abstract socket, which has no mode; name a path"),
                path if path.contains("://") => refuse("is an address with a scheme; leave it out"),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
        let Ok(port) = port.parse::<u16>() else {
            return refuse("has no port; write 9464, 127.0.0.1:9464 or unix:PATH");
        };
        let ip = match host {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            "" | "*" => {
                return refuse(&format!(
                    "does not say which address; write {port} for this machine alone, or 0.0.0.0:{port} for all of the \
                     network"
                ));
            }
            host => {
                let number = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
                match number.parse::<IpAddr>() {
                    Ok(ip) if ip.is_ipv4() == (number.len() == host.len()) => ip,
                    _ => {
                        return refuse("names no address of this machine; write it as numbers, such as 127.0.0.1:9464");
                    }
                }
            }
        };
        Ok(Self::Tcp(SocketAddr::new(ip, port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_unless_told_otherwise() {
        let read = |text: &str| text.parse::<Address>().map(|address| (address.to_string(), address.is_local()));
        let good =
            |text: &str, shown: &str, local: bool| assert_eq!(read(text), Ok((shown.to_owned(), local)), "{text}");
        good("9464", "http://127.0.0.1:9464", true);
        good("localhost:0", "http://127.0.0.1:0", true);
        good("127.0.0.2:80", "http://127.0.0.2:80", true);
        good("[::1]:9464", "http://[::1]:9464", true);
        good("0.0.0.0:9464", "http://0.0.0.0:9464", false);
        good("[::]:9464", "http://[::]:9464", false);
        good("192.0.2.7:9464", "http://192.0.2.7:9464", false);
        good("unix:http.sock", "unix:http.sock", true);
        good("/run/smm/http.sock", "unix:/run/smm/http.sock", true);
        good("./http.sock", "unix:./http.sock", true);
        for bad in [
            "",
            "localhost",
            ":9464",
            "*:9464",
            "70000",
            "example.org:80",
            "::1:80",
            "[127.0.0.1]:80",
            "unix:",
            "unix:@smm",
            "http://127.0.0.1:80",
        ] {
            let said = read(bad).expect_err(bad).to_string();
            assert!(said.starts_with(&format!("`{bad}` ")), "{said}");
        }
    }
}
