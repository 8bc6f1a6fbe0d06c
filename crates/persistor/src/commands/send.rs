//! `persistor send`: messages that come as lines of JSON are sent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::Utc;
use clap::Args;
use persistor_core::ErrorKind;
use persistor_recover::replay::{Begin, Spool, Spooled};
use persistor_recover::{Sink, shown};

use crate::again::again;
use crate::exit::{Exit, usage};
use crate::plan_text::Plan;
use crate::screen::Screen;
use crate::sending::{MEMORY, Sending};
use crate::sinks;

#[derive(Debug, Args)]
#[command(after_help = "\
The lines are those that `persistor replay --to -` writes (docs/json-lines.md); only `payload`
(base64) or `payload_text` has to be there. They are all read before the first one is sent: where
one is no message, nothing is. What they say is sent and nothing is added, so the marks of the
replay that wrote them stay: it is that replay's --name that marks them, not the one given here.
Standard input has the lines, so nothing can be asked: look at --dry-run first, then say --yes.

Examples:
  persistor replay --keys broken.txt --to - --name fixed-22 > lines.jsonl
  jq -c '.payload |= (@base64d | fromjson | .currency //= \"EUR\" | tojson | @base64)' lines.jsonl \\
    | persistor send --to pubsub://my-project/orders-again --yes
  echo '{\"payload_text\":\"hello\"}' | persistor send --to pubsub://my-project/orders-again --yes")]
pub(crate) struct Send {
    #[command(flatten)]
    sending: Sending,
    /// Say nothing on standard error but errors
    #[arg(short, long)]
    quiet: bool,
}

impl Send {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let now = Utc::now();
        let name = self.sending.name(now)?;
        let sink = self.sending.sink()?;
        self.sending.reach(sink.as_ref()).await?;
        let mut screen = Screen::new(self.quiet);
        let spooled = self.read(sink.clone()).await?;
        let itinerary = &spooled.itinerary;
        let going = (itinerary.total.messages, itinerary.sha256());
        if let Some(exit) = self.sending.unfit(itinerary, &screen) {
            return Ok(screen.end(exit)?);
        }
        if going.0 == 0 {
            screen.say("there were no lines, so nothing was sent");
            return Ok(screen.end(Exit::Nothing)?);
        }
        self.sending.back(itinerary, sink.as_ref(), &screen).await?;
        let terms = [
            ("lines", format!("those with SHA-256 {}", spooled.sha256)),
            ("to", sinks::identity(&self.sending.to)),
            ("as", self.sending.form_name().to_owned()),
            ("order", self.sending.order_name().to_owned()),
        ];
        let terms: BTreeMap<_, _> = terms.map(|(name, value)| (name.to_owned(), value)).into();
        let begin = Begin { name: name.clone(), at: shown(now), terms };
        let kept = self.sending.earlier_journal(&begin).await?;
        let plan = Plan {
            itinerary,
            from: None,
            to: &sinks::shown(&self.sending.to),
            sink: sink.as_ref(),
            order: self.sending.order(),
            rate: self.sending.rate,
            mark: None,
            before: kept.as_ref().map_or(0, |kept| kept.history.confirmed()),
        };
        let Some(kept) = self.sending.agreed(&plan, kept, &begin, &mut screen).await? else {
            return Ok(screen.end(self.sending.declined())?);
        };
        let items = spooled.load(&sink, kept.history.clone(), MEMORY);
        let again = format!("{} with the same lines", again(&name, None, &[]));
        let exit = self.sending.send(items, &sink, kept, going, &mut screen, &again).await?;
        Ok(screen.end(exit)?)
    }

    /// Reads standard input to its end.
    async fn read(&self, sink: Arc<dyn Sink>) -> anyhow::Result<Spooled> {
        if std::io::stdin().is_terminal() && !self.quiet {
            eprintln!("reading lines from the terminal; ctrl-D ends them");
        }
        let read = tokio::task::spawn_blocking(move || {
            let (mut spool, mut input, mut line) = (Spool::new()?, std::io::stdin().lock(), Vec::new());
            while input.read_until(b'\n', &mut line).context("read standard input")? > 0 {
                spool.push(&line, sink.as_ref())?;
                line.clear();
            }
            anyhow::Ok(spool.finish()?)
        });
        match read.await? {
            Err(error)
                if error.downcast_ref::<persistor_core::Error>().is_some_and(|error| error.kind() == ErrorKind::Invalid) =>
            {
                usage!("{error:#}; nothing was sent")
            }
            spooled => spooled,
        }
    }
}
