//! The same with the real engine: calendar, ledger in a file, driver. What an answer that was lost leads to is decided by
//! the core alone, from what the network declares.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smm::adapter::suite::Lost;
use smm::adapter::{Api, Network, Outside, Plan, RepeatSafety};
use smm::calendar::{Calendar, Config, DeliverySettings, MediaHostSettings, MediaPlace, load};
use smm::compose::{Instance, compose};
use smm::engine::outside::FolderMedia;
use smm::engine::{Connector, Engine, Folders, Pass, Passed, World};
use smm::ledger::OpenMode;
use smm::model::{Account, Delivery, Post, Severity, State};
use smm::time::SystemClock;

use crate::proxy::{Cut, Proxy};
use crate::stage::{Stage, picture};

/// Leads every account to the fake on the stage.
pub(crate) struct ToStage {
    pub(crate) stage: Stage,
}

impl Connector for ToStage {
    fn repeat(&self, _network: &str) -> RepeatSafety {
        self.stage.network.profile().repeat
    }

    fn compose(&self, calendar: &Calendar, post: &Post, account: &Account, instance: Instance) -> Result<Plan, String> {
        let rendering = compose(calendar, post, account, instance);
        let wrong = rendering.problems.iter().find(|problem| problem.severity == Severity::Error);
        match (wrong, rendering.plan) {
            (None, Some(plan)) => Ok(plan),
            (wrong, _) => Err(format!("{wrong:?}")),
        }
    }

    fn connect(&self, account: &Account, folders: &Folders) -> Result<Box<dyn Api>, String> {
        let media = Arc::new(FolderMedia::new(&folders.media));
        Ok(self.stage.network.connect(account, Outside { media, ..self.stage.fake.outside() }))
    }
}

/// A calendar with one post that is due, and what publishes it.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) connector: Arc<ToStage>,
    pub(crate) account: Account,
}

impl Scene {
    pub(crate) async fn new(network: &'static dyn Network) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Stage::new(network).await;
        let account = stage.account.clone();
        Self { folder, connector: Arc::new(ToStage { stage }), account }
    }

    /// Writes the calendar: parts of a thread where the network has threads.
    fn write(&self) -> usize {
        let profile = self.connector.stage.network.profile();
        let mut text = format!(
            "name = \"suite\"\ntimezone = \"Europe/Berlin\"\n\n[[posts]]\nid = \"once\"\nat = 2026-01-01T09:00:00\n\
             to = [\"{}\"]\ntext = \"One\"\nlate = {{ grace = \"15m\", then = \"publish\" }}\n",
            self.account.name
        );
        if profile.media.required {
            let media = picture("dot.png", "A dot");
            std::fs::write(self.folder.path().join(&media.file), smm::adapter::suite::PICTURE).expect("a picture");
            text.push_str("media = [{ file = \"dot.png\", alt = \"A dot\" }]\n");
        }
        if profile.threads {
            text.push_str("thread = [\"Two\", \"Three\"]\n");
        }
        std::fs::write(self.folder.path().join("calendar.toml"), text).expect("a calendar");
        if profile.threads { 3 } else { 1 }
    }

    /// `smm publish`, as often as it is called; `server`: by way of a proxy.
    pub(crate) async fn publish(&self, server: Option<&str>) -> Vec<Delivery> {
        let mut account = self.account.clone();
        if let Some(server) = server {
            account.server = Some(server.to_owned());
        }
        let settings = DeliverySettings {
            timeout: Duration::from_secs(2),
            settle: Duration::from_millis(50),
            ..DeliverySettings::default()
        };
        let config = Config {
            accounts: BTreeMap::from([(account.name.clone(), account)]),
            delivery: settings,
            media_host: Some(MediaHostSettings {
                url: "https://media.example".to_owned(),
                place: MediaPlace::Folder(self.folder.path().join("media")),
                keep: Duration::from_hours(48),
            }),
            ..Config::default()
        };
        let loaded = load(&self.folder.path().join("calendar.toml"), &config, &smm::networks::known());
        assert!(loaded.is_ok(), "{:?}", loaded.diagnostics);
        let ledger = smm::ledger::open("sqlite", self.folder.path(), OpenMode::ReadWrite).expect("a ledger");
        let _lock = ledger.lock("suite").await.expect("the lock");
        let world = World::of(&loaded).expect("a world");
        let connector: Arc<dyn Connector> = Arc::clone(&self.connector) as Arc<dyn Connector>;
        let engine = Arc::new(Engine::new(ledger, Arc::new(SystemClock), connector, settings, "suite", world));
        engine.apply().await.expect("applied");
        let pass = Pass { only: None, wait: Duration::from_secs(5) };
        let Passed { touched, .. } = engine.pass(&pass, std::future::pending()).await.expect("a pass");
        touched
    }
}

/// One post, whatever is cut, and nothing more when it is run again.
async fn once(network: &'static dyn Network, cut: Option<Cut>) {
    lost_once(network, cut, None).await;
}

/// The same; `lost`: on a network without a front.
async fn lost_once(network: &'static dyn Network, cut: Option<Cut>, lost: Option<Lost>) {
    let scene = Scene::new(network).await;
    let parts = scene.write();
    let stage = &scene.connector.stage;
    let proxy = match (cut, stage.fake.front()) {
        (Some(cut), Some(front)) => {
            let proxy = Proxy::before(front.url()).await;
            proxy.cut(stage.publish_call(), cut, 1);
            Some(proxy)
        }
        _ => None,
    };
    assert!(lost.is_none_or(|lost| stage.fake.lose(lost)));
    let server = proxy.as_ref().map(Proxy::url);
    let mut rows = scene.publish(server).await;
    // What the pass did not wait for is taken up by the next one.
    for _ in 0..20 {
        if rows.iter().all(|row| row.state.needs_person() || row.state.is_final()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        rows = scene.publish(server).await;
    }
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(proxy.as_ref().is_none_or(Proxy::is_spent), "nothing was cut");
    let safety = stage.api().whoami().await.expect("an identity").repeat.unwrap_or(network.profile().repeat);
    if (cut.is_some() || lost.is_some()) && safety == RepeatSafety::None {
        assert_eq!(rows[0].state, State::Unknown, "only a person can tell");
        if let Some(lost) = lost {
            let arrived = usize::from(lost == Lost::Answer);
            assert_eq!(stage.fake.posts().await.len(), arrived);
            assert!(scene.publish(server).await.is_empty(), "touched again");
            assert_eq!(stage.fake.posts().await.len(), arrived, "nothing is sent again");
        }
        return;
    }
    assert_eq!(rows[0].state, State::Published, "{:?}", rows[0].reason);
    assert_eq!(rows[0].receipts.len(), parts);
    let posts = stage.fake.posts().await;
    assert_eq!(posts.len(), parts, "{posts:?}");
    for (post, receipt) in posts.iter().zip(&rows[0].receipts) {
        assert_eq!(post.id, receipt.id);
    }
    for pair in posts.windows(2) {
        assert_eq!(pair[1].parent.as_ref(), Some(&pair[0].id));
    }
    assert!(scene.publish(server).await.is_empty(), "published twice");
    assert_eq!(stage.fake.posts().await.len(), parts);
}

pub(crate) async fn the_engine_publishes_once(network: &'static dyn Network) {
    once(network, None).await;
}

pub(crate) async fn the_engine_settles_what_was_lost_before(network: &'static dyn Network) {
    once(network, Some(Cut::BeforeForwarding)).await;
}

pub(crate) async fn the_engine_settles_what_was_lost_after(network: &'static dyn Network) {
    once(network, Some(Cut::AfterForwarding)).await;
}

pub(crate) async fn the_engine_settles_a_cut_answer(network: &'static dyn Network) {
    once(network, Some(Cut::InBody(3))).await;
}

pub(crate) async fn the_engine_settles_a_lost_request(network: &'static dyn Network) {
    lost_once(network, None, Some(Lost::Request)).await;
}

pub(crate) async fn the_engine_settles_a_lost_answer(network: &'static dyn Network) {
    lost_once(network, None, Some(Lost::Answer)).await;
}

/// A lost ledger: the calendar is published again from nothing. Where the network keeps our names there is still one post.
pub(crate) async fn a_lost_ledger_publishes_nothing_twice(network: &'static dyn Network) {
    let scene = Scene::new(network).await;
    let parts = scene.write();
    assert_eq!(scene.publish(None).await.len(), 1);
    for entry in std::fs::read_dir(scene.folder.path()).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("ledger") {
            std::fs::remove_file(entry.path()).expect("removed");
        }
    }
    let rows = scene.publish(None).await;
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [State::Published], "{rows:?}");
    assert_eq!(scene.connector.stage.fake.posts().await.len(), parts);
}
