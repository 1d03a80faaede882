//! An alert by mail, as a real SMTP server (aiosmtpd) receives it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::servers::{real, wait_for};
use crate::support::TestEnv;

/// aiosmtpd, which prints what it receives. It ends with the value.
struct Smtp {
    child: Child,
    host: String,
    lines: Receiver<String>,
}

/// Whether it is installed.
pub fn installed() -> bool {
    real().join("mail/aiosmtpd").is_dir()
}

impl Smtp {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let host = free.to_string();
        let mut child = Command::new("python3")
            .args(["-u", "-m", "aiosmtpd", "-n", "-l", &host])
            .env("PYTHONPATH", real().join("mail"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 starts");
        let (tell, lines) = channel();
        let printed = child.stdout.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(printed).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        wait_for(&host);
        Self { child, host, lines }
    }

    /// The next mail.
    fn mail(&self) -> String {
        let mut mail = String::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).expect("a mail arrives");
            if line.contains("END MESSAGE") {
                return mail;
            }
            mail += &line;
            mail.push('\n');
        }
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is held is told by mail, once, by a run that ends.
#[expect(clippy::unused_async, reason = "cases are futures; this one has nothing to wait for")]
pub async fn arrives() {
    let smtp = Smtp::start();
    let env = TestEnv::new();
    env.write(
        "smm.toml",
        "[[alerts]]\nname = \"mail\"\nkind = \"email\"\nfrom = \"smm <smm@acme.example>\"\n\
         to = [\"team@acme.example\", \"Ann <ann@acme.example>\"]\n",
    );
    let posts = (1..7).fold(String::new(), |all, number| {
        all + &format!("[[posts]]\nid = \"p{number}\"\nat = 2026-01-0{number}T09:00:00\ntext = \"Text\"\n")
    });
    let site =
        "[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\ntitle = \"Acme\"\nlink = \"https://acme.example\"\n";
    env.write(
        "calendar.toml",
        format!("name = \"acme\"\ntimezone = \"Europe/Berlin\"\n{site}[defaults]\nto = [\"site\"]\n{posts}"),
    );
    let smm = |args: &[&str]| {
        let mut command = env.command();
        command.args(args).env("SMM_ALERT_MAIL_URL", format!("smtp://{}", smtp.host));
        command.output().expect("smm runs")
    };
    let tested = smm(&["alerts", "test"]);
    assert_eq!(String::from_utf8_lossy(&tested.stdout), "mail: told\n");
    let mail = smtp.mail();
    for line in [
        "Subject: smm: this is a test: alerts of smm arrive here",
        "From: smm <smm@acme.example>",
        "To: team@acme.example, Ann <ann@acme.example>",
        "Auto-Submitted: auto-generated",
        "Message-ID: <",
    ] {
        assert!(mail.contains(line), "{line} is not in\n{mail}");
    }
    // More than a new ledger publishes unasked: all are held.
    smm(&["publish"]);
    let mail = smtp.mail();
    assert!(mail.contains("Subject: smm: 6 held"), "{mail}");
    assert!(mail.contains("smm publish --backlog") && !mail.contains("Text"), "{mail}");
    smm(&["publish"]);
    assert!(smtp.lines.recv_timeout(Duration::from_secs(1)).is_err(), "told once");
}
