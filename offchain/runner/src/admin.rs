//! The administration of a daemon: over a socket in the file system that only its owner can open, and by SIGHUP.
//!
//! On the socket is everything that the HTTP port has, and besides it `GET /admin/status`, `GET /admin/peers`, and
//! `POST /admin/enable`, `/admin/disable`, `/admin/drain`, `/admin/reload` and `/admin/log`. What changes something is a
//! POST.

mod changes;
mod socket;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::RunnerError;
use crate::limits::MAX_SOCKET_PATH_BYTES;
use crate::report::Report;
use crate::shutdown::Shutdown;

pub use changes::{Reloaded, changed_keys, sort_changes};

/// How a daemon is administered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// The socket; `cocoon … run` takes `admin.sock` in the daemon's data folder when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The file that the configuration was read from: a reload reads it again.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Whether SIGHUP reloads; else it ends the process, as a terminal that is closed should.
    #[serde(skip)]
    pub reloads_at_hangup: bool,
}

impl AdminConfig {
    /// With the socket `admin.sock` in a folder, unless its path is longer than a socket's may be.
    pub fn in_folder(folder: &Path) -> Self {
        let socket = folder.join("admin.sock");
        let fits = socket.as_os_str().len() <= MAX_SOCKET_PATH_BYTES;
        Self {
            socket: fits.then_some(socket),
            ..Self::default()
        }
    }

    /// Whether everything is left to its default.
    pub fn is_default(&self) -> bool {
        self.socket.is_none()
    }
}

/// Settings that a reload may replace while the daemon runs.
#[derive(Debug)]
pub struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    /// Begins with `value`.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// What counts at this moment.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts from now on.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

/// A daemon that can be administered.
#[async_trait]
pub trait Operated: Report {
    /// `ready`, `disabled`, `degraded` or `draining`.
    fn state(&self) -> &'static str;

    /// Takes work, or takes no more; of one model only, where the daemon has several. False: there is no such model.
    fn set_enabled(&self, model: Option<&str>, is_enabled: bool) -> bool;

    /// Takes no more work, lets what runs end, and ends the daemon.
    fn drain(&self);

    /// Takes one peer out of the choice, or back into it: what runs there goes on, nothing new goes there. Says how many of
    /// its connections it is about; `None`: there is none. Only a proxy chooses among its peers.
    fn set_peer_drained(&self, _address: &str, _is_drained: bool) -> Option<usize> {
        None
    }

    /// Reads the configuration again and takes over what can be.
    fn reload(&self) -> Result<Reloaded, RunnerError>;

    /// Who is connected.
    fn peers(&self) -> Value;
}

/// Opens the socket if there is to be one, and reloads at SIGHUP if it is to. `pages` is what the
/// HTTP port has.
pub fn start(
    config: &AdminConfig,
    operated: Arc<dyn Operated>,
    pages: Router,
    shutdown: &Shutdown,
) -> Result<(), RunnerError> {
    // The time that the process is up counts from here.
    crate::report::Process::now();
    if let Some(path) = &config.socket {
        let socket = socket::open(path)?;
        tracing::info!(socket = %path.display(), "administration");
        let router = pages.merge(routes(Arc::clone(&operated)));
        shutdown.spawn_until_stop(socket::serve(socket, router));
    }
    #[cfg(unix)]
    if config.reloads_at_hangup {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup()).map_err(RunnerError::Signals)?;
        shutdown.spawn_until_stop(async move {
            while hangup.recv().await.is_some() {
                // Both outcomes are logged.
                let _ = reload(operated.as_ref());
            }
        });
    }
    Ok(())
}

fn routes(operated: Arc<dyn Operated>) -> Router {
    Router::new()
        .route("/admin/status", get(status))
        .route("/admin/peers", get(peers))
        .route("/admin/enable", post(enable))
        .route("/admin/disable", post(disable))
        .route("/admin/drain", post(drain))
        .route("/admin/reload", post(reload_now))
        .route("/admin/log", post(log))
        .with_state(operated)
}

type Answer = (StatusCode, Json<Value>);

fn done(value: Value) -> Answer {
    (StatusCode::OK, Json(value))
}

fn refused(status: StatusCode, error: &str, hint: &str) -> Answer {
    (status, Json(json!({ "error": error, "hint": hint })))
}

async fn status(State(operated): State<Arc<dyn Operated>>) -> Answer {
    let process = crate::report::Process::now();
    done(json!({
        "role": operated.role(),
        "state": operated.state(),
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": process.uptime_seconds,
        "cpu_seconds": process.cpu_seconds,
        "memory_bytes": process.memory_bytes,
    }))
}

async fn peers(State(operated): State<Arc<dyn Operated>>) -> Answer {
    done(operated.peers())
}

#[derive(Deserialize)]
struct Which {
    model: Option<String>,
    /// One worker of a proxy: address of its owner or of its contract.
    worker: Option<String>,
}

async fn enable(State(operated): State<Arc<dyn Operated>>, Query(which): Query<Which>) -> Answer {
    switch(operated.as_ref(), &which, true)
}

async fn disable(State(operated): State<Arc<dyn Operated>>, Query(which): Query<Which>) -> Answer {
    switch(operated.as_ref(), &which, false)
}

fn switch(operated: &dyn Operated, which: &Which, is_enabled: bool) -> Answer {
    if let Some(worker) = &which.worker {
        return drain_peer(operated, worker, !is_enabled);
    }
    if !operated.set_enabled(which.model.as_deref(), is_enabled) {
        return refused(
            StatusCode::NOT_FOUND,
            "this daemon does not serve that model",
            "the statistics list its models",
        );
    }
    tracing::info!(is_enabled, "switched by the operator");
    done(json!({ "enabled": is_enabled, "state": operated.state() }))
}

fn drain_peer(operated: &dyn Operated, worker: &str, is_drained: bool) -> Answer {
    let Some(connections) = operated.set_peer_drained(worker, is_drained) else {
        return refused(
            StatusCode::NOT_FOUND,
            "no worker of this address is connected here",
            "`cocoon proxy peers` lists the workers with the addresses of their owners",
        );
    };
    tracing::info!(worker, is_drained, connections, "a worker was switched by the operator");
    done(json!({ "worker": worker, "draining": is_drained, "connections": connections }))
}

async fn drain(State(operated): State<Arc<dyn Operated>>, Query(which): Query<Which>) -> Answer {
    if let Some(worker) = &which.worker {
        return drain_peer(operated.as_ref(), worker, true);
    }
    tracing::info!("drain asked for by the operator");
    operated.drain();
    done(json!({ "state": "draining" }))
}

async fn reload_now(State(operated): State<Arc<dyn Operated>>) -> Answer {
    match reload(operated.as_ref()) {
        Ok(reloaded) => done(json!(reloaded)),
        Err(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string(), error.hint()),
    }
}

fn reload(operated: &dyn Operated) -> Result<Reloaded, RunnerError> {
    let reloaded = operated.reload();
    match &reloaded {
        Ok(Reloaded { applied, needs_restart }) => {
            tracing::info!(?applied, ?needs_restart, "configuration read again");
        }
        Err(error) => tracing::warn!(%error, "the configuration cannot be read again, the old one stays"),
    }
    reloaded
}

#[derive(Deserialize)]
struct Filter {
    filter: String,
}

async fn log(Query(Filter { filter }): Query<Filter>) -> Answer {
    match crate::logging::set_filter(&filter) {
        Ok(()) => done(json!({ "filter": filter })),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string(), error.hint()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Exposition;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_util::sync::CancellationToken;

    #[derive(Default)]
    struct Daemon {
        is_enabled: AtomicBool,
        stop: CancellationToken,
    }

    #[async_trait]
    impl Report for Daemon {
        fn role(&self) -> &'static str {
            "proxy"
        }

        async fn statistics(&self) -> Value {
            Value::Null
        }

        fn metrics(&self, _: &mut Exposition) {}
    }

    #[async_trait]
    impl Operated for Daemon {
        fn state(&self) -> &'static str {
            match self.is_enabled.load(Ordering::Relaxed) {
                true => "ready",
                false => "disabled",
            }
        }

        fn set_enabled(&self, model: Option<&str>, is_enabled: bool) -> bool {
            self.is_enabled.store(is_enabled, Ordering::Relaxed);
            model.is_none()
        }

        fn drain(&self) {
            self.stop.cancel();
        }

        fn set_peer_drained(&self, address: &str, _: bool) -> Option<usize> {
            (address == "known").then_some(2)
        }

        fn reload(&self) -> Result<Reloaded, RunnerError> {
            Ok(sort_changes(vec!["a.b".to_owned(), "c".to_owned()], &["a"]))
        }

        fn peers(&self) -> Value {
            json!([])
        }
    }

    async fn ask(path: &Path, line: &str) -> (u16, Value) {
        let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_only_a_post_changes_anything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let daemon = Arc::new(Daemon::default());
        let shutdown = Shutdown::new(daemon.stop.clone());
        let config = AdminConfig {
            socket: Some(path.clone()),
            ..AdminConfig::default()
        };
        start(&config, daemon.clone(), Router::new(), &shutdown).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");

        let (code, body) = ask(&path, "GET /admin/status").await;
        assert_eq!((code, &body["state"]), (200, &json!("disabled")), "{body}");
        assert_eq!(ask(&path, "GET /admin/enable").await.0, 405);
        assert!(!daemon.is_enabled.load(Ordering::Relaxed));
        let (code, body) = ask(&path, "POST /admin/enable").await;
        assert_eq!((code, &body["state"]), (200, &json!("ready")), "{body}");
        let (code, body) = ask(&path, "POST /admin/disable?model=other").await;
        assert_eq!((code, body["hint"].is_string()), (404, true), "{body}");
        let (code, body) = ask(&path, "POST /admin/drain?worker=unknown").await;
        assert_eq!((code, body["hint"].is_string()), (404, true), "{body}");
        for (line, draining) in [("drain", true), ("disable", true), ("enable", false)] {
            let (code, body) = ask(&path, &format!("POST /admin/{line}?worker=known")).await;
            let expected = json!({ "worker": "known", "draining": draining, "connections": 2 });
            assert_eq!((code, body), (200, expected));
        }
        assert!(!daemon.stop.is_cancelled() && !daemon.is_enabled.load(Ordering::Relaxed));
        let (code, body) = ask(&path, "POST /admin/reload").await;
        assert_eq!(code, 200);
        assert_eq!(body, json!({ "applied": ["a.b"], "needs_restart": ["c"] }));
        let (code, body) = ask(&path, "POST /admin/log?filter=cocoon=shouting").await;
        assert_eq!(code, 400, "{body}");

        // A second daemon finds out that the first one lives; after its end the place is free again.
        assert!(start(&config, daemon.clone(), Router::new(), &shutdown).is_err());
        assert_eq!(ask(&path, "POST /admin/drain").await.0, 200);
        assert!(daemon.stop.is_cancelled());
        shutdown.drain(std::time::Duration::from_secs(5)).await;
        let again = Shutdown::default();
        start(&config, daemon, Router::new(), &again).unwrap();
        again.stop();
    }
}
