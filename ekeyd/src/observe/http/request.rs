//! Strict parsing of requests.

use ekey_control::chart::Range;

use super::hosts::Hosts;
use crate::observe::metrics::Format;

/// Limit of header lines; a browser sends about fifteen.
const MOST_HEADERS: usize = 64;

/// A valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The content.
    pub(super) what: What,
    /// Whether the client wants the headers only.
    pub(super) head_only: bool,
}

/// Names the content that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The page, with the range in the query.
    Page(Option<Range>),
    /// The status as JSON.
    Status,
    /// The history as JSON.
    History,
    /// The metrics.
    Metrics(Format),
}

/// Says why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not HTTP/1, or contradictory.
    Malformed,
    /// An unknown address.
    NotFound,
    /// Neither GET nor HEAD.
    Method,
    /// Incomplete at the deadline.
    TooSlow,
    /// Has a body.
    Body,
    /// Names another host.
    Misdirected,
    /// Exceeds a limit.
    TooLong,
}

impl Refusal {
    /// Returns the status code and its reason phrase.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Malformed => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::TooSlow => "408 Request Timeout",
            Self::Body => "413 Content Too Large",
            Self::Misdirected => "421 Misdirected Request",
            Self::TooLong => "431 Request Header Fields Too Large",
        }
    }

    /// Returns the text of the response, which says what to do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Malformed => "malformed request; send HTTP/1.1 with one Host header\n",
            Self::NotFound => "not found; try / (the page), /status.json, /history.json or /metrics\n",
            Self::Method => "send GET or HEAD; to control the daemon, use ekey-ctl\n",
            Self::TooSlow => "the request did not come within ten seconds\n",
            Self::Body => "send no body\n",
            Self::Misdirected => {
                "use the address of this machine as the host name, or add the name to `names` in [http]\n"
            }
            Self::TooLong => "send at most 8192 bytes and 64 header lines\n",
        }
    }
}

impl Request {
    /// Parses a request that is complete up to its blank line, for one of `hosts`.
    ///
    /// # Errors
    /// [`Refusal`] for the first problem.
    pub(super) fn parse(bytes: &[u8], hosts: &Hosts) -> Result<Self, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(Refusal::Malformed),
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLong),
            Err(_) => return Err(Refusal::Malformed),
        }
        check_headers(&request, hosts)?;
        let head_only = match request.method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Err(Refusal::Method),
        };
        let what = what(request.path.unwrap_or_default(), accept(&request))?;
        Ok(Self { what, head_only })
    }
}

fn what(target: &str, accept: &str) -> Result<What, Refusal> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" => {
            let asked = |range: &Range| query.split('&').any(|part| part.strip_prefix("range=") == Some(range.word()));
            Ok(What::Page(Range::ALL.into_iter().find(asked)))
        }
        "/status.json" => Ok(What::Status),
        "/history.json" => Ok(What::History),
        "/metrics" => Ok(What::Metrics(Format::wanted(accept))),
        _ if path.starts_with('/') => Err(Refusal::NotFound),
        _ => Err(Refusal::Malformed),
    }
}

fn check_headers(request: &httparse::Request<'_, '_>, allowed: &Hosts) -> Result<(), Refusal> {
    let mut hosts = values(request, "host");
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(std::str::from_utf8(host).map_err(|_| Refusal::Malformed)?),
        // HTTP/1.0 has no Host header.
        (None, _) if request.version == Some(0) => None,
        _ => return Err(Refusal::Malformed),
    };
    let has_body = values(request, "content-length").any(|length| length.trim_ascii() != b"0");
    if has_body || values(request, "transfer-encoding").next().is_some() {
        return Err(Refusal::Body);
    }
    if host.is_some_and(|host| !allowed.include(host)) {
        return Err(Refusal::Misdirected);
    }
    Ok(())
}

fn accept<'h>(request: &httparse::Request<'h, 'h>) -> &'h str {
    request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("accept"))
        .and_then(|header| std::str::from_utf8(header.value).ok())
        .unwrap_or_default()
}

fn values<'r>(request: &'r httparse::Request<'_, '_>, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn hosts(names: &[&str]) -> Hosts {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Hosts::new(Ipv4Addr::LOCALHOST.into(), &names)
    }

    fn parse(text: &str) -> Result<Request, Refusal> {
        Request::parse(text.as_bytes(), &hosts(&[]))
    }

    fn get(target: &str, headers: &str) -> Result<Request, Refusal> {
        parse(&format!("GET {target} HTTP/1.1\r\nHost: localhost:9178\r\n{headers}\r\n"))
    }

    #[test]
    fn each_address_has_its_content() {
        for (target, expected) in [
            ("/", What::Page(None)),
            ("/?range=10m", What::Page(Some(Range::Minutes))),
            ("/?x=1&range=24h", What::Page(Some(Range::Day))),
            ("/?range=<script>", What::Page(None)),
            ("/status.json", What::Status),
            ("/history.json?", What::History),
            ("/metrics", What::Metrics(Format::Text)),
        ] {
            assert_eq!(get(target, ""), Ok(Request { what: expected, head_only: false }), "{target}");
        }
        let accept = "aCCept: application/openmetrics-text; version=1.0.0\r\n";
        let expected = Request { what: What::Metrics(Format::OpenMetrics), head_only: false };
        assert_eq!(get("/metrics", accept), Ok(expected));
        let head = parse("HEAD / HTTP/1.0\r\n\r\n");
        assert_eq!(head, Ok(Request { what: What::Page(None), head_only: true }));
    }

    #[test]
    fn a_bad_request_is_rejected_with_its_reason() {
        for (target, headers, reason) in [
            ("/etc/passwd", "", Refusal::NotFound),
            ("/../status.json", "", Refusal::NotFound),
            ("http://localhost/", "", Refusal::Malformed),
            ("*", "", Refusal::Malformed),
            ("/", "Host: localhost\r\n", Refusal::Malformed),
            ("/", "Content-Length: 5\r\n", Refusal::Body),
            ("/", "Transfer-Encoding: chunked\r\n", Refusal::Body),
            ("/", "no colon\r\n", Refusal::Malformed),
            ("/", "A : b\r\n", Refusal::Malformed),
        ] {
            assert_eq!(get(target, headers), Err(reason), "{target} {headers}");
        }
        assert_eq!(get("/", &"A: b\r\n".repeat(64)), Err(Refusal::TooLong));
        assert_eq!(get("/", "Content-Length: 0\r\n").map(|request| request.what), Ok(What::Page(None)));
        for (text, reason) in [
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", Refusal::Method),
            ("GET / HTTP/1.1\r\n\r\n", Refusal::Malformed),
            ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", Refusal::Malformed),
            ("GET /\r\n\r\n", Refusal::Malformed),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n", Refusal::Malformed),
            ("", Refusal::Malformed),
            ("\u{16}\u{3}\u{1}\r\n\r\n", Refusal::Malformed),
        ] {
            assert_eq!(parse(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn a_request_for_another_host_is_misdirected() {
        let text = "GET / HTTP/1.1\r\nHost: keys.example:9178\r\n\r\n";
        assert_eq!(parse(text), Err(Refusal::Misdirected));
        assert!(Request::parse(text.as_bytes(), &hosts(&["keys.example"])).is_ok());
    }

    proptest! {
        #[test]
        fn no_input_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), local in any::<bool>()) {
            let listen = if local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
            let hosts = Hosts::new(listen.into(), &[]);
            let _ = Request::parse(&bytes, &hosts);
            let line = [b"GET /".as_slice(), &bytes, b" HTTP/1.1\r\nHost: ", &bytes, b"\r\n\r\n"].concat();
            if let Ok(request) = Request::parse(&line, &hosts) {
                prop_assert!(matches!(request.what, What::Page(_) | What::Status | What::History | What::Metrics(_)));
            }
        }
    }
}
