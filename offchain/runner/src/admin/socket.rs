//! The socket in the file system.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::UnixListener;

use crate::RunnerError;

/// An open socket; its file goes with it.
pub(super) struct Socket {
    listener: UnixListener,
    _file: File,
}

struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        // A file that is left over is replaced at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens the socket for its owner alone. A file that a dead process left is replaced; one that answers is not.
pub(super) fn open(path: &Path) -> Result<Socket, RunnerError> {
    let failed = |source| RunnerError::AdminSocket {
        path: path.to_owned(),
        source,
    };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(failed(std::io::ErrorKind::AddrInUse.into()));
    }
    // Nobody may connect before the permissions are set: so it is made under another name.
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(".new");
    let hidden = PathBuf::from(hidden);
    match std::fs::remove_file(&hidden) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&hidden).map_err(failed)?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    std::fs::rename(&hidden, path).map_err(failed)?;
    Ok(Socket {
        listener,
        _file: File(path.to_owned()),
    })
}

/// Serves until dropped.
pub(super) async fn serve(socket: Socket, router: Router) {
    if let Err(error) = axum::serve(socket.listener, router).await {
        tracing::warn!(%error, "the administration socket has ended");
    }
}
