//! The bell: `LISTEN` on a connection of its own, so that news comes at once, and a look every few seconds, so that a
//! notice that was lost with its connection comes late and not never.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use super::error::Trouble;
use super::schema;
use super::session::{self, Server};

/// A bell that says nothing is looked at this often.
const LOOK: Duration = Duration::from_secs(5);

/// A server that is away is asked again after at most this long.
const AGAIN: Duration = Duration::from_secs(5);

/// Rings whoever listens.
pub(super) async fn ring(session: &Object) -> Result<(), Trouble> {
    // The count stays, for those who are not listening just now.
    session.execute("SELECT nextval('rings'), pg_notify($1, '')", &[&schema::NAME]).await?;
    Ok(())
}

/// Listens, from the first question on for as long as it lives.
#[derive(Default)]
pub(super) struct Bell {
    rang: Arc<Notify>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Bell {
    /// Waits until somebody rings. What rang while nobody waited is told to the next who does.
    pub(super) async fn rung(&self, server: &Arc<Server>) {
        {
            let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
            if listener.as_ref().is_none_or(JoinHandle::is_finished) {
                *listener = Some(tokio::spawn(listen(Arc::clone(server), Arc::clone(&self.rang))));
            }
        }
        self.rang.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let listener = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener.take() {
            listener.abort();
        }
    }
}

async fn listen(server: Arc<Server>, rang: Arc<Notify>) {
    let mut heard = None;
    let mut wait = Duration::from_millis(100);
    loop {
        let began = tokio::time::Instant::now();
        let trouble = match listen_once(&server, &rang, &mut heard).await {
            Ok(never) => match never {},
            Err(trouble) => trouble,
        };
        if began.elapsed() > AGAIN {
            wait = Duration::from_millis(100);
        }
        tracing::debug!(error = %trouble.explain(server.place()), "the ledger's bell is not heard; listening again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN);
    }
}

/// Listens on one connection until it fails. `heard`: how often had been rung when it was last looked.
async fn listen_once(
    server: &Server,
    rang: &Notify,
    heard: &mut Option<i64>,
) -> Result<std::convert::Infallible, Trouble> {
    let connecting = server.address.config.connect(server.address.tls.clone());
    let (client, mut connection) =
        tokio::time::timeout(server.limit, connecting).await.map_err(|_| Trouble::Silent)??;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    // It carries the client's own questions, too. It ends with this function.
    let carrier = AbortOnDrop(tokio::spawn(async move {
        loop {
            match std::future::poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(_))) => {
                    if tell.send(()).is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }));
    let limited = async |work: &mut (dyn Future<Output = Result<i64, Trouble>> + Send + Unpin)| {
        tokio::time::timeout(server.limit, work).await.map_err(|_| Trouble::Silent)?
    };
    limited(&mut Box::pin(async {
        session::look_over(&client, server).await?;
        client.batch_execute(&format!("LISTEN {}", schema::NAME)).await?;
        Ok(0)
    }))
    .await?;
    loop {
        let count = limited(&mut Box::pin(count(&client))).await?;
        if heard.replace(count) != Some(count) {
            rang.notify_one();
        }
        match tokio::time::timeout(LOOK, told.recv()).await {
            // Looked at above: the count has risen.
            Ok(Some(())) | Err(_) => {}
            Ok(None) => {
                drop(carrier);
                return Err(Trouble::Silent);
            }
        }
    }
}

/// How often somebody has rung.
async fn count(client: &tokio_postgres::Client) -> Result<i64, Trouble> {
    let row = client.query_one("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM rings", &[]).await?;
    Ok(row.get(0))
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
