//! The units' text. What is written where, and as what, follows `systemd.exec(5)`, `systemd.service(5)`, `systemd.unit(5)`
//! and `systemd.syntax(7)` of version 252, verified 2026-11-22.

use std::fmt::Write as _;
use std::time::Duration;

/// The folder of the socket that `--listen` may make.
pub(super) const RUNTIME: &str = "/run/smm";

/// Where credentials are looked for that have no path of their own (systemd 252 and newer).
const STORE: &str = "/etc/credstore";

/// A file to write.
#[derive(Debug)]
pub(super) struct Unit {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// A secret that the service is handed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credential {
    /// As smm asks for it: `bsky.password`.
    pub id: String,
    /// What it is, in a few words.
    pub what: String,
}

/// Who the service runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// A user that is made for it.
    Dynamic,
    /// This one.
    Static(String),
    /// Whoever's service manager it is.
    Manager,
}

/// What the units say.
#[derive(Debug)]
pub(super) struct Service {
    /// The program's path.
    pub program: String,
    /// `daemon` or `publish`, with its options and the calendar.
    pub arguments: Vec<String>,
    /// Who it runs as.
    pub who: Who,
    /// What it is handed.
    pub credentials: Vec<Credential>,
    /// Paths that it writes to.
    pub writable: Vec<String>,
    /// Paths that it reads and that the sandbox would hide.
    pub shown: Vec<String>,
    /// A call takes at most so long: stopping waits for it.
    pub timeout: Duration,
    /// It makes a socket below [`RUNTIME`].
    pub socket: bool,
    /// Alerts run programs.
    pub commands: bool,
    /// [`failed`] tells of it when it has given up.
    pub tells: bool,
    /// The command that wrote this.
    pub command: String,
}

impl Service {
    fn is_user(&self) -> bool {
        self.who == Who::Manager
    }

    /// The daemon's unit.
    pub(super) fn daemon(&self) -> Unit {
        let mut text = self.head("smm.service", "publishes posts on time", "smm.service");
        text.push_str("\n[Unit]\nDescription=smm, which publishes posts on time\n");
        self.order(&mut text);
        self.on_failure(&mut text);
        text.push_str(
            "# Five minutes of attempts, then it stays down.\nStartLimitIntervalSec=10min\nStartLimitBurst=30\n",
        );
        text.push_str("\n[Service]\n# Ready means: the ledger is its own and the calendar is read.\nType=notify\n");
        let _ = writeln!(text, "{}", self.exec_start());
        text.push_str("ExecReload=kill -HUP $MAINPID\n# It says that it lives every 30 seconds.\nWatchdogSec=60s\n");
        // What comes after the calls: alerts that are on their way.
        let stop = self.timeout.as_secs() + 30;
        let _ =
            writeln!(text, "# Calls in flight are waited for, up to `timeout` of smm.toml.\nTimeoutStopSec={stop}s");
        text.push_str("Restart=on-failure\nRestartSec=10s\n# Wrong usage is not mended by another attempt.\n");
        text.push_str("RestartPreventExitStatus=2\n");
        self.rest(&mut text);
        let target = if self.is_user() { "default.target" } else { "multi-user.target" };
        let _ = write!(text, "\n[Install]\nWantedBy={target}\n");
        Unit { name: "smm.service", text }
    }

    /// The unit of one pass, for [`timer`].
    pub(super) fn publish(&self) -> Unit {
        let mut text = self.head("smm-publish.service", "publishes what is due, once", "smm-publish.timer");
        text.push_str("\n[Unit]\nDescription=smm, which publishes what is due\n");
        self.order(&mut text);
        self.on_failure(&mut text);
        text.push_str("\n[Service]\nType=oneshot\n");
        let _ = writeln!(text, "{}", self.exec_start());
        let stop = self.timeout.as_secs() + 30;
        let _ = writeln!(text, "# One pass at a time; the next one goes on where this one was cut short.");
        let _ = writeln!(text, "TimeoutStartSec=30min\nTimeoutStopSec={stop}s");
        self.rest(&mut text);
        Unit { name: "smm-publish.service", text }
    }

    /// Comments: what it is, where it goes, what to run.
    fn head(&self, name: &str, what: &str, enable: &str) -> String {
        let mut text =
            format!("# {name}: {what}. Written by `{}`, smm {}.\n#\n", self.command, env!("CARGO_PKG_VERSION"));
        let (folder, sudo, user) = if self.is_user() {
            ("~/.config/systemd/user", "", " --user")
        } else {
            ("/etc/systemd/system", "sudo ", "")
        };
        let _ = writeln!(text, "# Put it into {folder}, then run");
        let _ = writeln!(text, "#   {sudo}systemctl{user} daemon-reload");
        let _ = writeln!(text, "#   {sudo}systemctl{user} enable --now {enable}");
        let _ = writeln!(text, "#   {sudo}systemctl{user} status {enable}");
        let journal = if self.is_user() { "journalctl --user" } else { "sudo journalctl" };
        let _ = writeln!(text, "# Its log: {journal} -u {name}");
        if self.is_user() {
            let _ = writeln!(text, "# It runs while you are signed in; `loginctl enable-linger` lets it run always.");
        } else {
            let state = "sudo STATE_DIRECTORY=/var/lib/smm smm status";
            let calendar = self.arguments.last().map_or("", String::as_str);
            let _ = writeln!(text, "# Its ledger is in /var/lib/smm: {state} '{calendar}'");
        }
        text
    }

    fn order(&self, text: &mut String) {
        if !self.is_user() {
            text.push_str("Wants=network-online.target\nAfter=network-online.target time-sync.target\n");
        }
    }

    fn on_failure(&self, text: &mut String) {
        if self.tells {
            text.push_str("OnFailure=smm-failed@%n.service\n");
        } else {
            text.push_str("# `smm systemd --on-failure` adds a unit that tells when this one has given up.\n");
            text.push_str("#OnFailure=smm-failed@%n.service\n");
        }
    }

    fn exec_start(&self) -> String {
        let mut line = format!("ExecStart={}", program(&self.program));
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(&self::argument(argument));
        }
        line
    }

    /// Who it is, what it is handed, and the sandbox.
    fn rest(&self, text: &mut String) {
        if self.writable.is_empty() {
            text.push_str("UMask=0077\n");
        } else {
            text.push_str("# What it writes is for others to read; its ledger is closed in any case.\nUMask=0022\n");
        }
        match &self.who {
            Who::Dynamic => text.push_str("\n# A user that exists while it runs; its state is in /var/lib/smm.\nDynamicUser=yes\n"),
            Who::Static(name) => {
                let _ = write!(text, "\n# Not a user made for it: it writes to, or reads, what belongs to this one.\nUser={name}\n");
            }
            Who::Manager => text.push_str(
                "\n# No StateDirectory=: it is another folder in each version of systemd, and smm's own, ~/.local/state/smm, \
                 is\n# where commands at a terminal look, too. Of the sandbox, what a user's service manager can do.\n",
            ),
        }
        if !self.is_user() {
            text.push_str("StateDirectory=smm\nStateDirectoryMode=0700\n");
        }
        if self.socket {
            text.push_str("RuntimeDirectory=smm\nRuntimeDirectoryMode=0700\n");
        }
        self.credentials(text);
        if !self.is_user() {
            text.push_str(SANDBOX);
            self.paths(text);
        }
        text.push_str(SECCOMP);
        if self.commands {
            text.push_str(
                "# Alerts run programs inside of this sandbox; those that need more privileges, such as sendmail, do not \
                 work here.\n",
            );
        }
    }

    /// Secrets. One that is not there is no error: smm says what it misses when it needs it.
    fn credentials(&self, text: &mut String) {
        if self.is_user() {
            text.push_str("# Secrets come from the keyring or the vault: `smm login ACCOUNT` puts them there.\n");
            return;
        }
        text.push_str(
            "\n# Secrets. Those that `smm login` has sealed in the state folder need the key of that alone:\n",
        );
        let _ = writeln!(text, "#   sudo install -d -m 0700 {STORE}");
        let _ = writeln!(
            text,
            "#   head -c 32 /dev/urandom | base64 | sudo install -m 0600 /dev/stdin {STORE}/smm-vault-key"
        );
        text.push_str("LoadCredential=smm-vault-key:smm-vault-key\n");
        if !self.credentials.is_empty() {
            text.push_str("# Any other may be laid there, typed and ended with Ctrl-D:\n");
            let id = &self.credentials[0].id;
            let _ = writeln!(text, "#   sudo install -m 0600 /dev/stdin {STORE}/smm.{id}");
        }
        for Credential { id, what } in &self.credentials {
            let _ = writeln!(text, "# {what}\nLoadCredential={id}:smm.{id}");
        }
    }

    fn paths(&self, text: &mut String) {
        if !self.shown.is_empty() {
            text.push_str("# What it reads below folders that are hidden from it.\n");
        }
        for path in &self.shown {
            let _ = writeln!(text, "BindReadOnlyPaths={}", word(path));
        }
        if !self.writable.is_empty() {
            text.push_str("# What it writes.\n");
        }
        for path in &self.writable {
            let directive = if is_hidden(path) { "BindPaths" } else { "ReadWritePaths" };
            let _ = writeln!(text, "{directive}={}", word(path));
        }
    }
}

/// What starts [`Service::publish`] every minute.
pub(super) fn timer() -> Unit {
    let text = "# smm-publish.timer: starts smm-publish.service every minute. A daemon is more punctual.\n\n\
                [Unit]\nDescription=smm publishes what is due, every minute\n\n\
                [Timer]\nOnCalendar=minutely\nAccuracySec=1s\nPersistent=yes\n\n\
                [Install]\nWantedBy=timers.target\n";
    Unit { name: "smm-publish.timer", text: text.to_owned() }
}

/// What tells that a unit has given up: an example to be changed.
pub(super) fn failed(user: bool) -> Unit {
    let log = if user { "journalctl --user" } else { "journalctl" };
    let text = format!(
        "# smm-failed@.service: told when a unit of smm has given up, with that unit's name as %i. An example: put your own\n\
         # command into ExecStart=, a mail or a push. This one writes a message of the highest priority into the journal,\n\
         # which usually shows it on every terminal.\n\n\
         [Unit]\nDescription=Tells that %i has given up\n\n\
         [Service]\nType=oneshot\n\
         ExecStart=systemd-cat --priority=emerg --identifier=smm echo \"%i has given up and publishes nothing: {log} -u %i\"\n"
    );
    Unit { name: "smm-failed@.service", text }
}

/// For a service of the system. It needs no privilege, no device and nothing of other processes.
const SANDBOX: &str = "
# The sandbox.
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=tmpfs
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateMounts=yes
PrivateIPC=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
DevicePolicy=closed
RemoveIPC=yes
KeyringMode=private
MemoryMax=1G
# Where name server and networks are all outside of your own network, this keeps it from going anywhere inside:
#IPAddressDeny=link-local multicast 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7
";

/// For a service of a user, too: these need no privilege.
const SECCOMP: &str = "NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
LimitCORE=0
";

/// Whether [`SANDBOX`] hides this path.
pub(super) fn is_hidden(path: &str) -> bool {
    let trees = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
    trees.iter().any(|tree| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// A program's path at the beginning of a command line. Variables are not looked for in it.
fn program(path: &str) -> String {
    quoted(path, "\"'\\;")
}

/// An argument of a command line.
fn argument(text: &str) -> String {
    quoted(&text.replace('$', "$$"), "\"'\\;")
}

/// A path in a list, where a colon parts two.
fn word(path: &str) -> String {
    quoted(path, "\"'\\;:")
}

/// Specifiers switched off, and in quotes where there is a blank or one of these.
fn quoted(text: &str, special: &str) -> String {
    let text = text.replace('%', "%%");
    if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || special.contains(c)) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_so_that_they_are_read_as_they_were() {
        assert_eq!(word("/srv/acme"), "/srv/acme");
        assert_eq!(word("/srv/50% off/a\"b\\c:d"), r#""/srv/50%% off/a\"b\\c:d""#);
        assert_eq!(argument("/srv/$HOME/x"), "/srv/$$HOME/x");
        assert_eq!(program("/opt/$x/smm"), "/opt/$x/smm");
        assert_eq!((argument("127.0.0.1:1"), argument("")), ("127.0.0.1:1".to_owned(), "\"\"".to_owned()));
    }

    #[test]
    fn hidden_is_what_lies_below() {
        for path in ["/home/ann/acme", "/root", "/tmp/x", "/var/tmp/x", "/run/user/7/x"] {
            assert!(is_hidden(path), "{path}");
        }
        for path in ["/homes/ann", "/srv/home/x", "/run/smm/x", "/temp", "/var/lib/x"] {
            assert!(!is_hidden(path), "{path}");
        }
    }
}
