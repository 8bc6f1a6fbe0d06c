//! `persistor serve gcp`: the same handler as the function's own program, with flags, and with a first request to paste.

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use clap::Args;
use persistor_core::{Entity, Location, Message, MessageId, PublishTime, Stream};
use persistor_gcp_function::{Listening, Push, Settings, run};

use crate::exit::Exit;
use crate::setting_flags::SettingFlags;

#[derive(Debug, Args)]
pub(crate) struct Gcp {
    #[command(flatten)]
    settings: SettingFlags<false>,
    /// Listen on 127.0.0.1 only, also where a port is given
    #[arg(long)]
    loopback: bool,
    /// End when standard input does: a parent that is gone, however it went, leaves no handler behind
    #[arg(long, hide = true)]
    end_with_input: bool,
}

impl Gcp {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let (mut settings, warnings) = match Settings::resolve(&self.settings.environment()) {
            Ok(resolved) => resolved,
            Err(faults) => {
                eprintln!("{faults}");
                return Ok(Exit::Usage);
            }
        };
        if self.loopback {
            settings.serve.listen.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        if self.end_with_input {
            std::thread::spawn(|| {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                std::process::exit(1);
            });
        }
        run(settings, &warnings, |listening| {
            if std::io::stderr().is_terminal() {
                eprintln!("{}", first_request(listening));
            }
        })?;
        Ok(Exit::Fine)
    }
}

/// A request that works when pasted, and where its blob will be.
fn first_request(listening: &Listening) -> String {
    const ENTITY: &str = "projects/demo/subscriptions/orders";
    const TIME: &str = "2026-11-22T05:40:12.503Z";
    let url = format!("http://127.0.0.1:{}/orders", listening.address.port());
    let curl = match listening.push {
        Push::Wrapped => format!(
            "curl -i {url} -d '{{\"message\":{{\"data\":\"aGVsbG8=\",\"messageId\":\"1\",\"publishTime\":\"{TIME}\"}},\"subscription\":\"{ENTITY}\"}}'"
        ),
        Push::Unwrapped => format!(
            "curl -i {url} -d hello -H 'x-goog-pubsub-message-id: 1' -H 'x-goog-pubsub-publish-time: {TIME}' -H 'x-goog-pubsub-subscription-name: {ENTITY}'"
        ),
    };
    let key = (|| {
        let time = PublishTime::parse(TIME)?;
        let message =
            Message::new(Entity::new(ENTITY)?, Stream::new("orders")?, MessageId::new("1")?, time, Bytes::from_static(b"hello"));
        Ok::<_, persistor_core::Error>(listening.layout.template().render(&message))
    })();
    let place = match (&listening.archive, key) {
        (_, Err(error)) => error.to_string(),
        (Location::Folder(folder), Ok(key)) => folder.join(key.as_str()).display().to_string(),
        (archive, Ok(key)) => format!("{key} in {archive}"),
    };
    format!("\nStore a first message:\n\n  {curl}\n\nIts payload will be {place}\nctrl-C ends.\n")
}
