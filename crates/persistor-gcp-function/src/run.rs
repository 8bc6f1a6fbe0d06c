//! The program: from settings to the end of the last request.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use persistor_core::{Layout, Location, Persist};
use persistor_serve::{Budget, Intake, Program, causes};

use crate::app::App;
use crate::archive;
#[cfg(feature = "oidc")]
use crate::oidc::Verifier;
use crate::settings::{Push, Settings};

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
    /// The form of a push.
    pub push: Push,
}

/// Serves until SIGTERM or ctrl-C, then drains. `warnings` are those of the settings; `announce` is called once, when
/// requests are taken.
///
/// # Errors
/// If the archive cannot be opened or the address not be bound; nothing that happens later ends the program.
pub fn run(settings: Settings, warnings: &[String], announce: impl FnOnce(&Listening)) -> anyhow::Result<()> {
    let listen = settings.serve.listen;
    let program = Program::start(&settings.serve, warnings)
        .with_context(|| format!("listen on {listen}: choose another port with PORT"))?;
    let address = program.address();
    program.run(async |ready| {
        let writer = archive::open(&settings)?;
        if settings.oidc.is_none() && !address.ip().is_loopback() && !settings.on_cloud_run {
            tracing::warn!(
                "this program does not ask who pushes, and listens beyond loopback: whoever reaches it can store messages. Put something before it \
                 that does, as Cloud Run's IAM does, or set PERSISTOR_OIDC_AUDIENCE and PERSISTOR_OIDC_EMAIL"
            );
        }
        if settings.oidc.is_some() && settings.on_cloud_run {
            tracing::warn!(
                "PERSISTOR_OIDC_AUDIENCE and PERSISTOR_OIDC_EMAIL are set on Cloud Run: where its IAM verifies tokens it removes their signatures, and every push is refused \
                 here. Unset them there; whether a service that everybody may call gets whole tokens was never tried"
            );
        }

        let persist = Persist::new(writer, settings.layout.clone(), settings.record, settings.serve.write_timeout);
        let intake = Intake::new(settings.serve.max_body, Budget::new(settings.serve.memory));
        let app = App::new(persist, settings.push, settings.stream, intake);
        #[cfg(feature = "oidc")]
        let app = match &settings.oidc {
            Some(oidc) => app.asking(Verifier::new(oidc)?),
            None => app,
        };
        let app = Arc::new(app);
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
        let listening = Listening { address, archive: settings.archive, layout: settings.layout, push: settings.push };
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
