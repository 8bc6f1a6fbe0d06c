//! The program: from settings to the end of the last call.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use persistor_core::{Layout, Location, Persist};
use persistor_serve::{Budget, Program, causes};

use crate::app::App;
use crate::archive;
use crate::function::Function;
use crate::settings::Settings;

/// What the program ends with after SIGTERM: the host starts it again and does not count that. One that ends with 0 is never started again,
/// and all its calls fail.
pub const RESTART: u8 = 200;

/// What is known once the program listens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listening {
    /// The address, with the port that was taken.
    pub address: SocketAddr,
    /// Where blobs go.
    pub archive: Location,
    /// How keys are made.
    pub layout: Layout,
    /// What is served.
    pub functions: Vec<Function>,
}

/// Serves until SIGTERM or ctrl-C, then drains; the program is to end with [`RESTART`] then. `warnings` are those of the settings; `announce`
/// is called once, when calls are taken.
///
/// # Errors
/// If the archive cannot be opened or the address not be bound; nothing that happens later ends the program.
pub fn run(settings: Settings, warnings: &[String], announce: impl FnOnce(&Listening)) -> anyhow::Result<()> {
    let listen = settings.serve.listen;
    let program = Program::start(&settings.serve, warnings)
        .with_context(|| format!("listen on {listen}: choose another port with FUNCTIONS_CUSTOMHANDLER_PORT"))?;
    let address = program.address();
    program.run(async |ready| {
        let writer = archive::open(&settings)?;
        let persist = Persist::new(writer, settings.layout.clone(), settings.record, settings.serve.write_timeout);
        let budget = Budget::new(settings.serve.memory);
        let functions = settings.functions.clone();
        let app = Arc::new(App::new(persist, functions, settings.serve.max_body, budget, settings.deadline));
        let first = app.clone();
        tokio::spawn(async move {
            if let Err(error) = first.persist().write_layout().await {
                tracing::error!(
                    reason = error.to_string(),
                    cause = causes(&error),
                    "the archive does not take the layout; it is tried again before the first acknowledgement"
                );
            }
        });
        let Settings { archive, layout, functions, .. } = settings;
        let listening = Listening { address, archive, layout, functions };
        for function in &listening.functions {
            let (entity, stream) = (function.entity.as_str(), function.stream.as_str());
            tracing::info!(function = function.name, entity, stream, "serving");
        }
        tracing::info!(
            address = address.ip().to_string(),
            port = address.port(),
            archive = listening.archive.to_string(),
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
        announce(&listening);
        Ok(app.router(ready))
    })
}
