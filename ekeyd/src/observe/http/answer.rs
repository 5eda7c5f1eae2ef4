//! HTTP responses with their headers.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use ekey_control::{History, Status, advice, amount};
use serde::Serialize;

use super::request::{Refusal, Request, What};
use crate::observe::metrics::metrics;
use crate::observe::page;

/// What the responses show.
pub(crate) struct View<'v> {
    /// The daemon's present status.
    pub status: &'v Status,
    /// The figures of the last day.
    pub history: &'v History,
}

/// The status with the advice for the operator.
#[derive(Serialize)]
struct StatusJson<'s> {
    #[serde(flatten)]
    status: &'s Status,
    /// Empty if the daemon needs no attention.
    advice: Vec<String>,
}

/// The content security policy of everything except the page.
const NO_CONTENT: &str = "default-src 'none'; frame-ancestors 'none'";

impl View<'_> {
    /// Builds the response to a request.
    pub(crate) fn answer(&self, request: &Request) -> Vec<u8> {
        let json = "application/json; charset=utf-8";
        let content = match request.what {
            What::Page(range) => {
                Ok(("text/html; charset=utf-8", page::page(self.status, self.history, range), page::POLICY))
            }
            What::Status => {
                let content = StatusJson { status: self.status, advice: advice::advice(self.status) };
                serde_json::to_string(&content).map(|text| (json, text, NO_CONTENT)).map_err(io::Error::other)
            }
            What::History => self.history.to_json().map(|text| (json, text, NO_CONTENT)).map_err(io::Error::other),
            What::Metrics(format) => Ok((format.content_type(), metrics(self.status, format), NO_CONTENT)),
        };
        match content {
            Ok((kind, text, policy)) => whole("200 OK", kind, policy, "", &text, request.head_only),
            Err(error) => {
                let text = format!("{error}\n");
                whole("500 Internal Server Error", "text/plain", NO_CONTENT, "", &text, request.head_only)
            }
        }
    }
}

/// Builds the response to a rejected request.
pub(super) fn refusal(refusal: Refusal) -> Vec<u8> {
    let more = if refusal == Refusal::Method { "Allow: GET, HEAD\r\n" } else { "" };
    whole(refusal.status(), "text/plain; charset=utf-8", NO_CONTENT, more, refusal.advice(), false)
}

fn whole(status: &str, kind: &str, policy: &str, more: &str, text: &str, head_only: bool) -> Vec<u8> {
    let date = date();
    let mut out = Vec::with_capacity(512 + text.len());
    // Writing into a Vec cannot fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\n\
         Date: {date}\r\n\
         Content-Type: {kind}\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\
         Cache-Control: no-store\r\n\
         Content-Security-Policy: {policy}\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Referrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\n\
         {more}\r\n",
        text.len()
    );
    if !head_only {
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// Returns the present time in the format of HTTP (RFC 9110 5.6.7).
fn date() -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let utc = amount::utc(now);
    let part = |from: usize, to: usize| utc.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().unwrap_or(1).clamp(1, 12);
    let weekday = DAYS[(now / 86_400 % 7) as usize];
    format!("{weekday}, {} {} {} {} GMT", part(8, 10), MONTHS[month - 1], part(0, 4), part(11, 19))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Format;
    use crate::observe::sample::{key, status};
    use ekey_control::KeyState;

    fn answer(what: What, head_only: bool) -> (String, String) {
        let status = status(vec![key(KeyState::Gone)]);
        let view = View { status: &status, history: &History::default() };
        let text = String::from_utf8(view.answer(&Request { what, head_only })).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn every_response_has_length_and_security_headers() {
        for what in [What::Page(None), What::Status, What::History, What::Metrics(Format::Text)] {
            let (head, body) = answer(what, false);
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
            for expected in ["Connection: close", "nosniff", "default-src 'none'", "frame-ancestors 'none'"] {
                assert!(head.contains(expected), "{what:?} lacks {expected}: {head}");
            }
            let (head_only, nothing) = answer(what, true);
            assert_eq!(nothing, "");
            assert!(head_only.contains("Content-Length: ") && !head_only.contains("Content-Length: 0"), "{head_only}");
        }
    }

    #[test]
    fn the_status_includes_the_advice() {
        let (_, body) = answer(What::Status, false);
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json["keys"][0]["state"]["name"], "gone");
        assert!(json["advice"][0].as_str().unwrap().contains("plug the key in"), "{json}");
        assert!(Status::from_json(&body).is_ok(), "it must parse like the control socket's status");
    }

    #[test]
    fn a_rejection_says_what_to_do() {
        let text = String::from_utf8(refusal(Refusal::Method)).unwrap();
        assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("\r\nAllow: GET, HEAD\r\n"), "{text}");
        assert!(text.ends_with("ekey-ctl\n"), "{text}");
    }

    #[test]
    fn the_date_has_the_format_of_http() {
        let date = date();
        let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert!(shape.ends_with(":00:00 GMT") && shape.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{date}");
    }
}
