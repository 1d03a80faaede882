//! Files that are read while a call sends them.
//!
//! The connection asks for the next piece when it has room for it, so no more is in memory than what it has taken and not yet
//! sent.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream;

use super::super::{Fault, Unread};

/// What is read at once, in bytes.
const PIECE: u64 = 256 * 1024;

/// What went wrong with the files of a call, if anything did. All clones are one.
#[derive(Clone, Default)]
pub(super) struct Flow {
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Flow {
    /// A body that is read when it is sent, from the first byte. When that goes wrong the connection is given up.
    pub(super) fn body(&self, file: Arc<Unread>) -> reqwest::Body {
        let flow = self.clone();
        reqwest::Body::wrap_stream(stream::try_unfold((file, 0), move |(file, sent)| {
            let flow = flow.clone();
            async move {
                if sent == file.length() {
                    return Ok(None);
                }
                let piece = file.piece(sent, PIECE).await.inspect_err(|fault| flow.note(fault))?;
                let sent = sent + piece.len() as u64;
                file.arrived(sent);
                Ok::<_, Fault>(Some((piece, (file, sent))))
            }
        }))
    }

    fn note(&self, fault: &Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
    }

    /// Why a file was not sent to its end, when the call is over: that the call has ended is for the call to say.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::{Body, Field, Http, HttpSettings, Request};
    use super::*;
    use crate::adapter::suite::{Film, MemoryFiles, outside, plans};
    use crate::adapter::{AltRule, Content, ImageRule, Limits, MediaFile, Outside, Refusal};
    use crate::model::MediaKind;

    /// A film heeds none.
    fn limits() -> Limits {
        Limits {
            text: Vec::new(),
            link: None,
            max_images: 1,
            max_videos: 1,
            image: ImageRule { mimes: &[], bytes: 0, pixels: 0, side: 0 },
            animation: None,
            video: None,
            document: None,
            alt: AltRule { supported: true, max: 0 },
            poll: None,
        }
    }

    /// A film as an adapter gets it to send.
    async fn file(film: &Arc<Film>) -> MediaFile {
        let outside =
            Outside { media: Arc::clone(film) as Arc<_>, ..outside(BTreeMap::new(), Arc::new(MemoryFiles::default())) };
        let media = plans::file("v/film.mp4", MediaKind::Video, "video/mp4", film.length(), "");
        outside.file(&media, &limits()).await.expect("it is there")
    }

    fn http() -> Http {
        Http::new(HttpSettings { timeout: Duration::from_secs(20), private_pages: false })
    }

    async fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        (listener, url)
    }

    /// Takes a connection and reads the head of a request: in small letters, and how long its body is.
    async fn head(listener: &TcpListener) -> (TcpStream, String, usize) {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.expect("more of the head"));
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let length = length.parse().expect("a number");
        (connection, head, length)
    }

    async fn answer(connection: &mut TcpStream, status: &str) {
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        connection.write_all(text.as_bytes()).await.expect("answered");
    }

    fn body(file: MediaFile) -> Body {
        Body::Bytes { bytes: file.content, mime: file.facts.mime }
    }

    #[tokio::test]
    async fn a_file_is_read_no_faster_than_it_is_taken() {
        const WHOLE: u64 = 48 * 1024 * 1024;
        let film = Film::new(WHOLE);
        let (listener, url) = listen().await;
        let call = tokio::spawn({
            let file = file(&film).await;
            async move { http().call(Request::post(url).body(body(file))).await }
        });
        let (mut connection, head, length) = head(&listener).await;
        assert_eq!(length as u64, WHOLE);
        assert!(!head.contains("transfer-encoding"), "{head}");
        // The server waits: what has been read is with the connection, whose buffers end somewhere.
        let mut before = 0;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = film.told().last().copied().unwrap_or_default();
            if now > 0 && now == before {
                break;
            }
            before = now;
        }
        assert!(before < WHOLE / 2, "{before} of {WHOLE} bytes were read although nobody took them");
        let mut got = vec![0; length];
        connection.read_exact(&mut got).await.expect("all of it");
        answer(&mut connection, "200 OK").await;
        assert_eq!(call.await.expect("no panic").expect("an answer").status, 200);
        assert!(got == film.bytes(), "every byte, in order");
        assert_eq!((film.most(), film.told().last()), (PIECE, Some(&WHOLE)));
    }

    #[tokio::test]
    async fn files_in_a_form_come_one_after_the_other() {
        let (one, two) = (Film::new(PIECE + 1), Film::new(3));
        let (listener, url) = listen().await;
        let field = |file: MediaFile| Field::File {
            name: "file".to_owned(),
            file_name: file.name,
            mime: file.facts.mime,
            bytes: file.content,
        };
        let text = Field::Text { name: "description".to_owned(), value: "Ä".to_owned() };
        let held = MediaFile { content: Content::Held(b"held".to_vec()), ..file(&one).await };
        let fields = vec![text, field(file(&one).await), field(held), field(file(&two).await)];
        let call = tokio::spawn(async move { http().publish(Request::post(url).body(Body::Multipart(fields))).await });
        let (mut connection, head, length) = head(&listener).await;
        assert!(!head.contains("transfer-encoding"), "{head}");
        let mut got = vec![0; length];
        connection.read_exact(&mut got).await.expect("all of it");
        answer(&mut connection, "200 OK").await;
        assert_eq!(call.await.expect("no panic").expect("an answer").status, 200);
        let boundary = head.split("boundary=").nth(1).and_then(|rest| rest.lines().next()).expect("a boundary");
        let mut at = 0;
        for content in ["Ä".as_bytes(), &one.bytes(), b"held", &two.bytes()] {
            let wanted = [b"\r\n\r\n", content, format!("\r\n--{boundary}").as_bytes()].concat();
            let found = got[at..].windows(wanted.len()).position(|window| window == wanted).expect("a field");
            at += found + wanted.len() - boundary.len() - 4;
        }
        assert!(got.ends_with(format!("--{boundary}--\r\n").as_bytes()));
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_never_becomes_a_request() {
        for irreversible in [false, true] {
            let film = Film::new(4 * PIECE);
            let (listener, url) = listen().await;
            let request = Request::post(url).body(body(file(&film).await));
            film.change();
            let call = tokio::spawn(async move {
                if irreversible { http().publish(request).await } else { http().call(request).await }
            });
            let (mut connection, _, length) = head(&listener).await;
            let mut got = Vec::new();
            // It ends, in one way or another, before the whole is there.
            let _ = connection.read_to_end(&mut got).await;
            assert!(got.len() < length, "{} of {length} bytes", got.len());
            let fault = call.await.expect("no panic").expect_err("it is another film");
            let Fault::Refused { refusal: Refusal::Invalid, message, .. } = &fault else { panic!("{fault:?}") };
            assert!(message.contains("`v/film.mp4` was changed while it was sent"), "{message}");
        }
    }

    #[tokio::test]
    async fn a_cut_in_the_middle_tells_nothing_of_an_irreversible_call() {
        for irreversible in [false, true] {
            let film = Film::new(8 * 1024 * 1024);
            let (listener, url) = listen().await;
            let request = Request::post(url).body(body(file(&film).await));
            let again = request.clone();
            let call = tokio::spawn(async move {
                if irreversible { http().publish(request).await } else { http().call(request).await }
            });
            let (mut connection, ..) = head(&listener).await;
            connection.read_exact(&mut vec![0; 1024 * 1024]).await.expect("some of it");
            drop(connection);
            let fault = call.await.expect("no panic").expect_err("cut");
            match fault {
                Fault::Unknown(_) => assert!(irreversible, "{fault:?}"),
                Fault::NotSent(_) => assert!(!irreversible, "{fault:?}"),
                Fault::Refused { .. } => panic!("{fault:?}"),
            }
            // Nothing went again by itself; a call of one's own begins with the first byte.
            let nobody = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await;
            assert!(nobody.is_err(), "somebody sent it again");
            let call = tokio::spawn(async move { http().call(again).await });
            let (mut connection, _, length) = head(&listener).await;
            let mut got = vec![0; length];
            connection.read_exact(&mut got).await.expect("all of it");
            answer(&mut connection, "202 Accepted").await;
            assert_eq!(call.await.expect("no panic").expect("an answer").status, 202);
            assert!(got == film.bytes(), "every byte, in order");
        }
    }

    #[tokio::test]
    async fn a_server_may_answer_before_it_has_read_everything() {
        let film = Film::new(32 * 1024 * 1024);
        let (listener, url) = listen().await;
        let request = Request::post(url).body(body(file(&film).await));
        let call = tokio::spawn(async move { http().call(request).await });
        let (mut connection, ..) = head(&listener).await;
        answer(&mut connection, "413 Content Too Large").await;
        assert_eq!(call.await.expect("no panic").expect("an answer").status, 413);
        drop(connection);
    }

    #[tokio::test]
    async fn a_large_file_has_more_time() {
        let hurried = Http::new(HttpSettings { timeout: Duration::from_millis(300), private_pages: false });
        for (bytes, comes) in [(9, false), (8 * PIECE, true)] {
            let film = Film::new(bytes);
            let (listener, url) = listen().await;
            let request = Request::post(url).body(body(file(&film).await));
            let call = tokio::spawn({
                let http = hurried.clone();
                async move { http.call(request).await }
            });
            let (mut connection, _, length) = head(&listener).await;
            connection.read_exact(&mut vec![0; length]).await.expect("all of it");
            tokio::time::sleep(Duration::from_millis(900)).await;
            if comes {
                answer(&mut connection, "200 OK").await;
            }
            assert_eq!(call.await.expect("no panic").is_ok(), comes, "{bytes}");
        }
    }
}
