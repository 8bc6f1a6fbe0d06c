//! `persistor replay`: stored messages are sent again.

use std::collections::BTreeMap;

use chrono::Utc;
use clap::Args;
use persistor_recover::replay::{Begin, Itinerary, Terms, load, plan_replay};
use persistor_recover::{Feeds, Sink, figures, shown};

use crate::chosen::Chosen;
use crate::exit::{Exit, usage};
use crate::place::Place;
use crate::plan_text::Plan;
use crate::screen::{Screen, visible};
use crate::sending::{MEMORY, READS, Sending, again};
use crate::sinks;
use crate::streams_hint::nothing;

/// Earlier replays that are named.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = "\
A topic gives what it gets to EVERY subscriber, also to those that lost nothing. Safer: a side
topic, one endpoint (--to https://… --as pubsub-push), or subscriptions that filter on the mark.
docs/recover.md has the bad day step by step.

Examples:
  persistor replay --keys missing.txt --to pubsub://my-project/orders-again --dry-run
  persistor replay --stream orders --since '3h ago' --until '2h ago' \\
    --to pubsub://my-project/orders-again --rate 500/s --name night-of-22
  persistor replay --keys missing.txt --to https://consumer.example.com/orders --as pubsub-push
  persistor replay --keys broken.txt --to - | jq -c '.attributes.fixed = \"yes\"' \\
    | persistor send --to servicebus://my-namespace/orders --yes

What was confirmed is never sent again under the same name. docs/replay.md says what happens when
something fails.")]
pub(crate) struct Replay {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    sending: Sending,
    /// Send messages as they were, without the marks of a replay
    #[arg(long, help_heading = "How they are sent")]
    exact: bool,
    /// Send messages too that an earlier replay had sent and that were stored again
    #[arg(long, help_heading = "Which messages")]
    include_replays: bool,
    /// Leave out what the sink cannot carry, instead of sending nothing
    #[arg(long, help_heading = "Which messages")]
    skip_unfit: bool,
    /// Send although the messages came from there: all its consumers, and the archive, get them again
    #[arg(long, help_heading = "How they are sent")]
    back_to_source: bool,
}

impl Replay {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let now = Utc::now();
        let name = self.sending.name(now)?;
        let opened = self.place.open().await?;
        let sink = self.sending.sink()?;
        self.sending.reach(sink.as_ref()).await?;
        let meant = self.chosen.meant(&opened, self.place.quiet, true).await?;
        let (since, until) = (meant.selection.since().map(shown), meant.selection.until().map(shown));
        let again = again(&name, &[("--since", since), ("--until", until)]);
        let terms = Terms { mark: (!self.exact).then(|| name.clone()), replays: self.include_replays, limit: self.chosen.limit };
        let begin = Begin { name: name.clone(), terms: self.journalled(&opened.location.to_string(), &meant.described()) };
        // Before the records are read, which takes long: a journal that is in use or of other terms is an early mistake.
        let kept = self.sending.earlier_journal(&begin).await?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let selection = meant.selection.clone();
        let planned =
            plan_replay(&opened.archive, &selection, meant.source, &terms, sink.as_ref(), &mut |finding| screen.meet(&finding))
                .await?;
        screen.clear();
        let itinerary = &planned.itinerary;
        let total = itinerary.total;
        if let Some(exit) = self.is_sendable(itinerary, sink.as_ref(), &screen).await? {
            if exit == Exit::Nothing && itinerary.replays.is_empty() {
                nothing(&screen, &opened, self.chosen.streams(), now).await?;
            }
            return Ok(screen.end(exit)?);
        }
        let plan = Plan {
            itinerary,
            from: Some(&opened.location),
            to: &sinks::shown(&self.sending.to),
            sink: sink.as_ref(),
            order: self.sending.order(),
            rate: self.sending.rate,
            mark: terms.mark.as_deref(),
            before: kept.as_ref().map_or(0, |kept| kept.history.confirmed()),
        };
        let in_doubt = kept.as_ref().map_or(0, |kept| kept.history.in_doubt().count());
        if !self.sending.is_agreed(&plan, in_doubt, &mut screen)? {
            return Ok(screen.end(self.sending.declined())?);
        }
        let kept = match kept {
            Some(kept) => kept,
            None => self.sending.journal(&begin).await?,
        };
        let items = load(&opened.archive, planned, &terms, &sink, kept.history.clone(), READS, MEMORY);
        let exit = self.sending.send(items, &sink, kept, total.messages, &mut screen, &again).await?;
        Ok(screen.end(exit)?)
    }

    /// What must not change when the replay goes on.
    fn journalled(&self, from: &str, messages: &str) -> BTreeMap<String, String> {
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        [
            ("from", from.to_owned()),
            ("to", sinks::shown(&self.sending.to)),
            ("as", self.sending.form_name().to_owned()),
            ("messages", messages.to_owned()),
            ("order", self.sending.order_name().to_owned()),
            ("exact", yes(self.exact)),
            ("include-replays", yes(self.include_replays)),
            ("limit", self.chosen.limit.map_or("none".to_owned(), |limit| limit.to_string())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// How it ends where nothing is to be sent.
    async fn is_sendable(&self, itinerary: &Itinerary, sink: &dyn Sink, screen: &Screen) -> anyhow::Result<Option<Exit>> {
        if let Some(exit) = self.sending.unfit(itinerary, self.skip_unfit, screen) {
            return Ok(Some(exit));
        }
        if itinerary.total.messages == 0 {
            for (replay, messages) in itinerary.replays.iter().take(SHOWN) {
                screen.say(format_args!(
                    "{} messages were sent by the replay `{}` and are left out: --include-replays sends them too",
                    figures::count(*messages),
                    visible(replay)
                ));
            }
            return Ok(Some(Exit::Nothing));
        }
        for entity in itinerary.entities.keys() {
            match sink.feeds(entity).await {
                Feeds::No => {}
                Feeds::Yes if self.back_to_source => {
                    screen.say(format_args!("these messages came from `{}`, and go back there", visible(entity)));
                }
                Feeds::Yes => usage!(
                    "these messages came from `{}`, and {} would send them there again: all its consumers would get them twice, and this archive once more. Send them to a side topic or to one endpoint, or say --back-to-source",
                    visible(entity),
                    sinks::shown(&self.sending.to)
                ),
                Feeds::Unknown(reason) => {
                    screen.say(format_args!(
                        "it cannot be told whether these messages came from {}: {reason}",
                        sinks::shown(&self.sending.to)
                    ));
                }
            }
        }
        Ok(None)
    }
}
