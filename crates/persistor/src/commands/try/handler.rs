//! The handler of a try: this very program as `serve gcp`, in a process of its own, on one port for its several lives.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::this_program;

/// How long a start may take.
const START: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Handler {
    archive: PathBuf,
    address: SocketAddr,
    child: Child,
}

impl Handler {
    /// Starts it on a free port of 127.0.0.1 and waits until it takes connections.
    pub(super) async fn start(archive: &Path) -> anyhow::Result<Self> {
        // Bound and let go: the port has to be known before the first of several starts.
        let address =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).context("find a free port")?;
        let child = spawn(archive, address).await?;
        Ok(Self { archive: archive.to_owned(), address, child })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as a crash does, in the middle of whatever it is doing, and starts it again.
    pub(super) async fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("kill the handler")?;
        self.child = spawn(&self.archive, self.address).await?;
        Ok(())
    }

    /// Ends it for good; all that it acknowledged is on the disk, so how it ends does not matter.
    pub(super) async fn stop(mut self, limit: Duration) -> anyhow::Result<()> {
        timeout(limit, self.child.kill()).await.context("the handler does not end")?.context("end the handler")
    }
}

async fn spawn(archive: &Path, address: SocketAddr) -> anyhow::Result<Child> {
    let mut command = Command::from(this_program::command()?);
    command
        .args([
            "serve",
            "gcp",
            "--loopback",
            "--end-with-input",
            "--log",
            "error",
            "--port",
            &address.port().to_string(),
            "--archive",
        ])
        .arg(archive);
    // Its log is talk here: only errors, and a person should see them.
    let mut child =
        command.stdin(Stdio::piped()).stdout(std::io::stderr()).kill_on_drop(true).spawn().context("start the handler")?;
    let deadline = Instant::now() + START;
    while TcpStream::connect(address).await.is_err() {
        if let Some(status) = child.try_wait().context("watch the handler")? {
            bail!("the handler did not start: {status}");
        }
        if Instant::now() > deadline {
            bail!("the handler does not listen on {address}");
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(child)
}
