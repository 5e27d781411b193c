//! Under which name a request came, and from which page: a web page that somebody looks at must not be able to ask, neither by a
//! name that it lets point to this machine nor from an origin of its own.

use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

use super::refusal::{Refusal, Why};

/// Refuses names that are not this client's, and pages of other origins. `listen` is where the client listens.
pub(crate) fn check(listen: SocketAddr, allowed: &[String], uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let named = match uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<Authority>().ok()),
    };
    let Some(named) = named.filter(|named| is_ours(listen, allowed, named.host())) else {
        let text = "This client is not called by that name: add it to [access] allowed_hosts.";
        return Err(Refusal::new(Why::Host, text));
    };
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let of_page = origin.split_once("://").map(|(_, authority)| authority);
    if of_page.is_some_and(|authority| authority.eq_ignore_ascii_case(named.as_str())) {
        return Ok(());
    }
    Err(Refusal::new(
        Why::Origin,
        "Pages of other origins may not use this client.",
    ))
}

fn is_ours(listen: SocketAddr, allowed: &[String], host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let bare = bare.unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        // Whoever says an address was led here by no name.
        let is_any = listen.ip().is_unspecified();
        return is_any || address.is_loopback() || address == listen.ip() || is_listed(allowed, bare);
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || is_listed(allowed, &name)
}

fn is_listed(allowed: &[String], name: &str) -> bool {
    allowed.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(listen: &str, allowed: &[&str], host: &str, origin: Option<&str>) -> Option<Why> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let uri = Uri::from_static("/v1/models");
        check(listen.parse().unwrap(), &allowed, &uri, &headers)
            .err()
            .map(|refusal| refusal.why)
    }

    #[test]
    fn a_name_that_somebody_lets_point_here_is_refused() {
        let local = "127.0.0.1:10000";
        for host in [
            "127.0.0.1:10000",
            "localhost",
            "LOCALHOST:1",
            "[::1]:10000",
            "a.localhost",
            "localhost.",
        ] {
            assert_eq!(verdict(local, &[], host, None), None, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:10000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
        ] {
            assert_eq!(verdict(local, &[], host, None), Some(Why::Host), "{host}");
        }
        assert_eq!(verdict(local, &["Models.example"], "models.example:443", None), None);
        assert_eq!(verdict("0.0.0.0:10000", &[], "192.168.1.7:10000", None), None);
        assert_eq!(verdict("0.0.0.0:10000", &[], "evil.example", None), Some(Why::Host));
        assert_eq!(verdict("10.0.0.1:1", &[], "10.0.0.1:1", None), None);
        assert_eq!(verdict("10.0.0.1:1", &[], "10.0.0.2:1", None), Some(Why::Host));
    }

    #[test]
    fn only_the_page_of_this_client_may_ask_from_a_browser() {
        let local = "127.0.0.1:10000";
        let host = "127.0.0.1:10000";
        assert_eq!(verdict(local, &[], host, Some("http://127.0.0.1:10000")), None);
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:3000",
            "null",
            "http://localhost:10000",
            "file://",
        ] {
            assert_eq!(verdict(local, &[], host, Some(origin)), Some(Why::Origin), "{origin}");
        }
    }

    #[test]
    fn a_request_without_a_name_is_refused() {
        let uri = Uri::from_static("/v1/models");
        let found = check("127.0.0.1:1".parse().unwrap(), &[], &uri, &HeaderMap::new());
        assert_eq!(found.err().map(|refusal| refusal.why), Some(Why::Host));
    }
}
