//! What a function does as a program around its own handler: log, runtime, listener, drain; and the few arguments that it takes.
//!
//! What is served is left to the function.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::health::Ready;
use crate::listener::serve;
use crate::log;
use crate::panics;
use crate::serve_settings::ServeSettings;
use crate::setting::{Function, table_text};
use crate::signal::shutdown_signal;

/// A program that logs and has its port, and serves nothing yet.
#[derive(Debug)]
pub struct Program {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    settings: ServeSettings,
}

impl Program {
    /// Begins: the log, with the warnings of the settings; what becomes of panics; the runtime; the port.
    ///
    /// # Errors
    /// Where the system has no threads, or does not give the port.
    pub fn start(settings: &ServeSettings, warnings: &[String]) -> io::Result<Self> {
        log::init(settings.log);
        panics::install_hook();
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(settings.listen))?;
        let address = listener.local_addr()?;
        Ok(Self { runtime, listener, address, settings: settings.clone() })
    }

    /// The address listened on, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves what `prepare` gives, until SIGTERM or ctrl-C, then drains.
    ///
    /// # Errors
    /// Those of `prepare`; nothing that happens later ends the program.
    pub fn run<E>(self, prepare: impl AsyncFnOnce(Ready) -> Result<Router, E>) -> Result<(), E> {
        let Self { runtime, listener, settings, .. } = self;
        runtime.block_on(async {
            let ready = Ready::new();
            let router = prepare(ready.clone()).await?;
            let drained = serve(listener, router, settings.drain_timeout, ready, shutdown_signal()).await;
            tracing::info!(
                finished = drained.finished,
                cut = drained.cut,
                "drained: `finished` requests were answered; `cut` were not, and will be delivered again"
            );
            Ok(())
        })?;
        // Writes that a request no longer waits for may still be under way; they need not be waited for, since nothing acknowledged them.
        runtime.shutdown_background();
        Ok(())
    }
}

/// Answers the arguments of a program that has none but `--help` and `--version`; none where it is to run.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "these are the program's own words")]
pub fn answer_arguments(name: &str, version: &str, usage: &str, function: Function) -> Option<ExitCode> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.iter().map(|argument| argument.to_str()).collect::<Vec<_>>()[..] {
        [] => None,
        [Some("--help" | "-h")] => {
            println!("{usage}\n{}", table_text(function));
            Some(ExitCode::SUCCESS)
        }
        [Some("--version" | "-V")] => {
            println!("{name} {version}");
            Some(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{name} takes no arguments but --help and --version; settings are environment variables");
            Some(ExitCode::from(2))
        }
    }
}
