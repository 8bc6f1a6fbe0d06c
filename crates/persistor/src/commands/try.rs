//! `persistor try`: the loop in one command, without a cloud. Every part of it but the broker is the real one: the handler is this
//! program's own `serve gcp`, killed with SIGKILL and started again on the way, and what is counted is what is on the disk. In the end a consumer downstream
//! loses some messages, and this program's own commands find them and send them again.

mod account;
mod broker;
mod consumer;
mod endpoint;
mod handler;
mod sample;
mod this_program;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use persistor_core::Location;
use persistor_serve::shutdown_signal;

use crate::exit::Exit;
use crate::screen::Screen;
use account::Account;
use broker::Broker;
use handler::Handler;
use sample::Sample;

/// The handler is killed when so many parts of four have been acknowledged.
const KILLS: [usize; 2] = [1, 2];

#[derive(Debug, Args)]
pub(crate) struct Try {
    /// The folder to store into; it must be new [default: ./persistor-try, or the next free number]
    #[arg(short, long, value_name = "FOLDER")]
    archive: Option<PathBuf>,
    /// How many messages to send
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    messages: u32,
}

impl Try {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let archive = new_folder(self.archive)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
        let samples = Sample::several(self.messages);
        let account = runtime.block_on(async {
            // Whatever is under way, ctrl-C ends it, and with it the handler.
            tokio::select! {
                biased;
                () = shutdown_signal() => bail!("interrupted; what was stored until then is in `{}`", archive.display()),
                account = send_and_compare(&archive, &samples) => account,
            }
        })?;
        let mut screen = Screen::new(false);
        screen.write(account.to_string().as_bytes())?;
        if !account.is_whole() {
            return Ok(screen.end(Exit::Damage)?);
        }
        let whole = consumer::lose_find_and_replay(&archive, &samples, &mut screen)?;
        Ok(screen.end(if whole { Exit::Fine } else { Exit::Failed })?)
    }
}

/// A folder that nothing is in: what is found there afterwards came from this run.
fn new_folder(asked: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = asked {
        if !matches!(Location::parse(&folder.to_string_lossy()), Ok(Location::Folder(_))) {
            bail!("`{}` is not a folder: a try stores into a new folder", folder.display());
        }
        if folder.exists() {
            bail!("`{}` is there already: choose a new folder", folder.display());
        }
        return Ok(folder);
    }
    let numbered = |n: u32| if n == 1 { "persistor-try".into() } else { PathBuf::from(format!("persistor-try-{n}")) };
    (1..1000).map(numbered).find(|folder| !folder.exists()).context("there are 999 folders `persistor-try…` here: remove some")
}

async fn send_and_compare(archive: &Path, samples: &[Sample]) -> anyhow::Result<Account> {
    let mut handler = Handler::start(archive).await?;
    let broker = Broker::new(handler.address());
    let progress = ProgressBar::new(samples.len() as u64).with_style(ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}")?);
    progress.set_message("sending");
    let sending = broker.send_all(samples, &progress);
    let killing = async {
        for part in KILLS {
            broker.acknowledged(samples.len() * part / 4).await;
            handler.kill_and_restart().await?;
        }
        anyhow::Ok(())
    };
    // What fails first ends all.
    tokio::try_join!(sending, killing)?;
    progress.finish_and_clear();
    handler.stop(Duration::from_secs(20)).await?;
    account::compare(archive, samples, broker.tally(), KILLS.len()).await
}
