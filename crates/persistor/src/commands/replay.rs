//! `persistor replay`: stored messages are sent again.

use std::collections::BTreeMap;

use chrono::Utc;
use clap::Args;
use persistor_recover::replay::{Begin, Itinerary, Terms, load, plan_replay};
use persistor_recover::{Sink, figures, moment, shown};

use crate::again::again;
use crate::chosen::Chosen;
use crate::exit::{Exit, usage};
use crate::place::Place;
use crate::plan_text::Plan;
use crate::screen::{Screen, visible};
use crate::sending::{Kept, MEMORY, READS, Sending};
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
  persistor replay --keys broken.txt --to - --name fixed-22 > lines.jsonl
  jq -c '.attributes.fixed = \"yes\"' lines.jsonl \\
    | persistor send --to servicebus://my-namespace/orders-again --dry-run

What was confirmed is never sent again under the same name: by the journal, a file in this folder
(elsewhere say where it is with --journal; without it everything is sent again). docs/replay.md
says what happens when something fails, and which variables give access to which sink.")]
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
        let mut again = again(&name, Some(&opened.location.to_string()), &[("--since", since), ("--until", until)]);
        if self.chosen.reads_stdin() {
            again.push_str(" with the same keys on standard input");
        }
        let mut terms = Terms {
            mark: (!self.exact).then(|| name.clone()),
            replays: self.include_replays,
            limit: self.chosen.limit,
            went_on: None,
        };
        let begin = Begin {
            name: name.clone(),
            at: shown(now),
            terms: self.journalled(&opened.location.to_string(), &meant.described()),
        };
        // Before the records are read, which takes long: a journal that is in use or of other terms is an early mistake.
        let kept = self.sending.earlier_journal(&begin).await?;
        let mut screen = Screen::new(self.place.quiet);
        screen.follow(&opened.archive, &meant);
        let began = kept.as_ref().and_then(|kept| kept.history.began()).and_then(|began| moment(began, now).ok());
        terms.went_on = began.filter(|_| meant.selection.until().is_none()).map(|began| (began, now));
        let selection = meant.selection.clone();
        let planned =
            plan_replay(&opened.archive, &selection, meant.source, &terms, sink.as_ref(), &mut |finding| screen.meet(&finding))
                .await?;
        screen.clear();
        let itinerary = &planned.itinerary;
        let going = (itinerary.total.messages, itinerary.sha256());
        if let Some(exit) = self.is_sendable(itinerary, sink.as_ref(), &screen).await? {
            if exit == Exit::Nothing && itinerary.replays.is_empty() {
                nothing(&screen, &opened, self.chosen.streams(), now).await?;
            }
            return Ok(screen.end(exit)?);
        }
        if itinerary.later > 0 {
            screen.say(format_args!(
                "{} messages were published since this replay began, and are left out: another --name sends them",
                figures::count(itinerary.later)
            ));
        }
        self.is_the_same(itinerary, kept.as_ref(), &screen)?;
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
        let Some(kept) = self.sending.agreed(&plan, kept, &begin, &mut screen).await? else {
            return Ok(screen.end(self.sending.declined())?);
        };
        let items = load(&opened.archive, planned, &terms, &sink, kept.history.clone(), READS, MEMORY);
        let exit = self.sending.send(items, &sink, kept, going, &mut screen, &again).await?;
        Ok(screen.end(exit)?)
    }

    /// What must not change when the replay goes on.
    fn journalled(&self, from: &str, messages: &str) -> BTreeMap<String, String> {
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        [
            ("from", from.to_owned()),
            ("to", sinks::identity(&self.sending.to)),
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

    /// Whether the messages are those that the replay was begun with.
    fn is_the_same(&self, itinerary: &Itinerary, kept: Option<&Kept>, screen: &Screen) -> anyhow::Result<()> {
        let Some((messages, sha256)) = kept.and_then(|kept| kept.history.planned()) else { return Ok(()) };
        if itinerary.sha256() == sha256 {
            return Ok(());
        }
        if self.chosen.limit.is_some() {
            usage!(
                "the first messages are others than when this replay was begun, since more were stored: give their keys with --keys, or a time with --until, and another --name"
            );
        }
        screen.say(format_args!(
            "when this replay was begun it had {} messages, and now the same selection has {}: the archive has changed since",
            figures::count(messages),
            figures::count(itinerary.total.messages)
        ));
        Ok(())
    }

    /// How it ends where nothing is to be sent.
    async fn is_sendable(&self, itinerary: &Itinerary, sink: &dyn Sink, screen: &Screen) -> anyhow::Result<Option<Exit>> {
        if let Some(exit) = self.sending.unfit(itinerary, screen) {
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
        self.sending.back(itinerary, sink, screen).await?;
        Ok(None)
    }
}
