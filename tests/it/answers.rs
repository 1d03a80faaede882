//! Answers to the irreversible call that are slow, huge, or say "too many" in every form there is.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::Rule;
use smm::model::{ReasonCode, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::process::serve;
use crate::stand::{Kind, Planned, Stand};

/// A stand whose account's irreversible call is answered by `answer`; everything else goes on to the stand-in.
fn answered_by(answer: &'static [u8], drip: Duration) -> Stand {
    let mut stand = Stand::new(&[Kind::Key]);
    let proxy = stand.nets[0].proxy().expect("HTTP").url().to_owned();
    let upstream = proxy.trim_start_matches("http://").to_owned();
    let address = serve(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let upstream = upstream.clone();
                tokio::spawn(async move {
                    let mut start = [0; 21];
                    if client.peek(&mut start).await.is_ok_and(|_| start.starts_with(b"POST /api/v1/statuses")) {
                        let mut request = [0; 4096];
                        let _ = client.read(&mut request).await;
                        for chunk in answer.chunks(if drip.is_zero() { 64 * 1024 } else { 1 }) {
                            if client.write_all(chunk).await.is_err() {
                                return;
                            }
                            tokio::time::sleep(drip).await;
                        }
                        return;
                    }
                    let Ok(mut server) = tokio::net::TcpStream::connect(upstream).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        address
    });
    let config = stand.env.read("smm.toml").replace(&proxy, &format!("http://{address}"));
    stand.env.write("smm.toml", config);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    stand
}

#[test]
fn headers_and_bodies_that_drip_in_end_with_the_time_limit() {
    const SLOW_HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"id\":\"1\"}";
    const SLOW_BODY: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n{\"id\":\"1\", \"url\": \"https://fedi.example/1\"}";
    for answer in [SLOW_HEAD, SLOW_BODY] {
        let stand = answered_by(answer, Duration::from_millis(150));
        let began = Instant::now();
        stand.smm(&["publish", "--wait", "0"]).expect(3);
        assert!(began.elapsed() < Duration::from_secs(6), "the time limit is two seconds: {:?}", began.elapsed());
        let row = &stand.rows()[0];
        assert_eq!((row.state, row.attempts), (State::Unknown, 1), "{row:?}");
    }
}

#[test]
fn a_huge_answer_is_read_to_the_limit_and_no_further() {
    let mut huge = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"id\":\"".to_vec();
    huge.resize(64 * 1024 * 1024, b'x');
    let stand = answered_by(huge.leak(), Duration::ZERO);
    let began = Instant::now();
    stand.smm(&["publish", "--wait", "0"]).expect(3);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let row = &stand.rows()[0];
    assert_eq!(row.state, State::Unknown, "{row:?}");
}

/// The least and the most; `None`: longer than anybody waits.
type Wait = Option<(TimeDelta, TimeDelta)>;

#[test]
fn every_form_of_too_many() {
    let hour = TimeDelta::hours(1);
    let in_an_hour = (Utc::now() + hour).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    // The header, and how long is waited.
    let cases: [(Option<&str>, Wait); 7] = [
        (Some("120"), Some((TimeDelta::seconds(118), hour))),
        (Some(&in_an_hour), Some((TimeDelta::minutes(59), hour * 2))),
        (Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some((TimeDelta::zero(), TimeDelta::minutes(1)))),
        (Some("0"), Some((TimeDelta::zero(), TimeDelta::minutes(1)))),
        (Some("soon"), Some((TimeDelta::zero(), TimeDelta::minutes(30)))),
        (None, Some((TimeDelta::zero(), TimeDelta::minutes(30)))),
        (Some("1000000000"), None),
    ];
    for (header, wait) in cases {
        let mut stand = Stand::new(&[Kind::Key]);
        let (method, path) = stand.nets[0].fake().publish_call().expect("HTTP");
        let mut rule = Rule::answer(429, r#"{"error":"Too many requests"}"#).on(method, path);
        if let Some(value) = header {
            rule = rule.header("retry-after", value);
        }
        stand.nets[0].fake().front().expect("HTTP").rule(rule);
        stand.calendar(vec![Planned::new("once", Utc::now())]);
        let before = Utc::now();
        stand.smm(&["publish", "--wait", "0"]);
        let row = &stand.rows()[0];
        assert_eq!(row.reason.as_ref().map(|it| it.code), Some(ReasonCode::Throttled), "{header:?}: {row:?}");
        match wait {
            Some((least, most)) => {
                let waits = row.not_before.expect("it waits") - before;
                assert!(row.state == State::Planned && waits >= least && waits <= most, "{header:?}: {waits} {row:?}");
            }
            None => assert_eq!(row.state, State::Held, "{header:?}: {row:?}"),
        }
        assert_eq!(stand.held(&stand.nets[0]).len(), 0);
    }
}
