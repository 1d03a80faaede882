//! A newsletter as a real SMTP server (aiosmtpd) puts it into a mailbox, read by Python's own parser of mail.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::publish::{Daemon, in_seconds, picture, published};
use crate::servers::{Ended, real, wait_for};
use crate::support::TestEnv;

/// Reads every mail of a Maildir, oldest first, as JSON.
const READER: &str = r#"
import sys, json, mailbox, email, email.policy, hashlib
box = mailbox.Maildir(sys.argv[1], factory=None, create=False)
mails = []
for key in sorted(box.keys()):
    raw = box.get_bytes(key)
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [part for part in mail.walk() if not part.is_multipart()]
    mails.append({
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "defects": [str(defect) for part in mail.walk() for defect in part.defects],
        "longest": max(len(line) for line in raw.splitlines()),
        "text": mail.get_body(("plain",)).get_content(),
        "html": mail.get_body(("html",)).get_content(),
        "pictures": [
            {"cid": part["content-id"], "type": part.get_content_type(), "name": part.get_filename(),
             "bytes": part.get_content().hex()}
            for part in parts if part.get_content_maintype() == "image"
        ],
    })
print(json.dumps(mails))
"#;

/// aiosmtpd with a mailbox. It ends with the value.
struct Mailbox {
    host: String,
    folder: tempfile::TempDir,
    _process: Ended,
}

impl Mailbox {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let (host, folder) = (free.to_string(), tempfile::tempdir().expect("a folder"));
        let child = Command::new("python3")
            .args(["-u", "-m", "aiosmtpd", "-n", "-l", &host, "-c", "aiosmtpd.handlers.Mailbox"])
            .arg(folder.path().join("mail"))
            .env("PYTHONPATH", real().join("mail"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = Ended(child.expect("python3 starts"));
        wait_for(&host);
        Self { host, folder, _process: process }
    }

    fn mails(&self) -> Vec<Value> {
        let output = Command::new("python3").args(["-c", READER]).arg(self.folder.path().join("mail")).output();
        let output = output.expect("python3 starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mails: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        mails.as_array().expect("mails").clone()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}"))
}

pub(crate) async fn a_newsletter_is_published_and_read_back() {
    let mailbox = Mailbox::start();
    let env = TestEnv::new();
    env.write("one.png", picture(64, 64, [200, 30, 30]));
    env.write("two.png", picture(300, 100, [30, 160, 60]));
    env.write(
        "smm.toml",
        format!(
            "[accounts.news]\nnetwork = \"email\"\nserver = \"smtp://{}\"\nfrom = \"Acmé News <news@acme.example>\"\n\
             to = [\"announce@lists.example\", \"Zweite Liste <zweite@lists.example>\"]\nreply_to = \"team@acme.example\"\n\
             unsubscribe = [\"https://acme.example/leave?l=1&m=2\", \"mailto:leave@acme.example\"]\n\
             list_id = \"news.acme.example\"\nfooter = \"Acme Ltd.\"\n",
            mailbox.host
        ),
    );
    env.write("calendar.toml", "name = \"real\"\ntimezone = \"Etc/UTC\"\ninclude = [\"posts/*.md\"]\n");
    env.write(
        "posts/launch.md",
        format!(
            "+++\nid = \"launch\"\nat = {}\nto = [\"news\"]\nlang = \"en\"\ntitle = \"Acme 2.0 is out – grüße 👩‍👩‍👧 {}\"\n\
             text = \"In short: مرحبا & <b>more</b>\\n.\\n..\"\nlink = \"https://acme.example/2.0?a=1&b=2\"\n\
             media = [{{ file = \"one.png\", alt = \"A red square & \\\"more\\\"\" }}, {{ file = \"two.png\", alt = \"A green <banner>\" }}]\n+++\n\
             # What is new\n\nSee ![](two.png).\n\n{}\n",
            in_seconds(4),
            "and a subject that is long enough to be folded over several lines of a header",
            "A line without an end. ".repeat(80)
        ),
    );
    env.smm(&["check"]).expect(0);
    let _daemon = Daemon::start(&env, &[]);
    let deliveries = published(&env, 1).await;
    let receipts = deliveries[0]["receipts"].as_array().expect("receipts");
    let mails = mailbox.mails();
    assert_eq!((receipts.len(), mails.len()), (2, 2), "one mail for each list");
    for (list, receipt) in ["announce@lists.example", "zweite@lists.example"].iter().zip(receipts) {
        let header = |mail: &Value, name: &str| text(&mail["headers"][name]).to_owned();
        let mail = mails
            .iter()
            .find(|mail| header(mail, "message-id") == format!("<{}>", text(&receipt["id"])))
            .expect("the receipt's mail");
        assert_eq!(mail["defects"], serde_json::json!([]));
        assert!(mail["longest"].as_u64().is_some_and(|longest| longest <= 998), "{}", mail["longest"]);
        assert!(header(mail, "to").contains(list) && header(mail, "x-rcptto").contains(list), "{mail:#}");
        for (name, value) in [
            (
                "subject",
                "Acme 2.0 is out – grüße 👩‍👩‍👧 and a subject that is long enough to be folded over several lines of a header",
            ),
            ("from", "Acmé News <news@acme.example>"),
            ("reply-to", "team@acme.example"),
            ("list-unsubscribe", "<https://acme.example/leave?l=1&m=2>, <mailto:leave@acme.example>"),
            ("list-unsubscribe-post", "List-Unsubscribe=One-Click"),
            ("list-id", "<news.acme.example>"),
            ("content-language", "en"),
        ] {
            assert_eq!(header(mail, name), value);
        }
        let said = text(&mail["text"]);
        for piece in
            ["In short: مرحبا & <b>more</b>\n.\n..\n", "See [A green <banner>].", "\n-- \nAcme Ltd.\n", "[A red square"]
        {
            assert!(said.contains(piece), "{piece} is not in\n{said}");
        }
        let html = text(&mail["html"]);
        assert!(html.contains("<h1>What is new</h1>") && html.contains("&lt;b&gt;more&lt;/b&gt;"), "{html}");
        let pictures = mail["pictures"].as_array().expect("pictures");
        assert_eq!(pictures.len(), 2);
        for (picture, (width, alt)) in
            pictures.iter().zip([(64, "A red square &amp; &quot;more&quot;"), (300, "A green &lt;banner&gt;")])
        {
            let cid = text(&picture["cid"]).trim_matches(['<', '>']);
            assert!(html.contains(&format!("src=\"cid:{cid}\" alt=\"{alt}\"")), "{cid} {alt} in\n{html}");
            let hex = text(&picture["bytes"]).as_bytes();
            let bytes: Vec<u8> = hex
                .chunks(2)
                .map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("ASCII"), 16).expect("hex"))
                .collect();
            assert_eq!(image::load_from_memory(&bytes).expect("a picture").width(), width);
        }
    }
    // What is out is out.
    env.smm(&["publish"]);
    assert_eq!(mailbox.mails().len(), 2);
}
