//! A film on its way to a network, with the real engine, and read from the disk while it is sent: the connection is cut in
//! the middle, and it goes on where the network keeps what had arrived.

use std::time::Duration;

use serde_json::json;
use smm::adapter::Network;
use smm::media::samples;
use smm::model::State;

use crate::driven::Scene;
use crate::proxy::Proxy;

const MIB: usize = 1024 * 1024;

/// Its bytes, and the one at which it is cut.
const WHOLE: usize = 44 * MIB;
const CUT: usize = 37 * MIB;

/// Networks that keep parts, and how many bytes go again at most: what one step of a plan sends.
const KEEP: &[(&str, usize)] = &[("bluesky", 16 * MIB), ("linkedin", 16 * MIB), ("x", 16 * MIB)];

/// What goes beside the film: calls before and after it, and what stands around its bytes in a form.
const BESIDE: usize = MIB / 4;

fn film() -> Vec<u8> {
    let mut film = samples::mp4(320, 240);
    let block: Vec<u8> = (0..=250).collect();
    film.extend(block.repeat(WHOLE / block.len() + 1));
    film.truncate(WHOLE);
    film
}

pub(crate) async fn a_film_goes_on_after_a_cut(network: &'static dyn Network) {
    let mut scene = Scene::new(network).await;
    let profile = network.profile();
    let post = format!(
        "name = \"suite\"\ntimezone = \"Europe/Berlin\"\n\n[[posts]]\nid = \"once\"\nat = 2026-01-01T09:00:00\n\
         to = [\"{}\"]\ntext = \"Look\"\nlate = {{ grace = \"15m\", then = \"publish\" }}\n\
         media = [{{ file = \"film.mp4\", alt = \"A film\" }}]\n",
        scene.account.name
    );
    std::fs::write(scene.folder.path().join("calendar.toml"), post).expect("a calendar");
    std::fs::write(scene.folder.path().join("film.mp4"), film()).expect("a film");
    let proxy = Proxy::before(scene.connector.stage.front().url()).await;
    if profile.id == "bluesky" {
        scene.account.settings.insert("video_service".to_owned(), json!(proxy.url()));
        // The stand-in's own server takes less at once.
        scene.account.limits.video_bytes = Some(300_000_000);
    }
    proxy.cut_at(CUT);
    let mut rows = scene.publish(Some(proxy.url())).await;
    for _ in 0..40 {
        if rows.iter().all(|row| row.state.needs_person() || row.state.is_final()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        rows = scene.publish(Some(proxy.url())).await;
    }
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].state, State::Published, "{:?}", rows[0].reason);
    assert!(proxy.is_spent(), "nothing was cut: {} bytes", proxy.taken());
    let posts = scene.connector.stage.fake.posts().await;
    assert_eq!(posts.len(), 1, "{posts:?}");
    let again = proxy.taken() - WHOLE;
    match KEEP.iter().find(|(id, _)| *id == profile.id) {
        Some((_, most)) => assert!(again <= most + BESIDE, "{again} bytes went again, of {WHOLE}"),
        // The whole film is one request.
        None => assert!((CUT..CUT + BESIDE).contains(&again), "{again} bytes went again, of {WHOLE}"),
    }
}
