//! The plan of a replay, for people and as JSON: what is going to be sent, where to, in which time, and at what price.

use std::fmt::Write as _;

use persistor_core::Location;
use persistor_recover::replay::{Amount, Itinerary, Order, Rate};
use persistor_recover::{Audience, Sink, figures};
use serde_json::{Value, json};

use crate::prices;
use crate::screen::visible;

/// Hours that are shown; of more, the days.
const HOURS: usize = 24;
/// Lines of any other kind.
const SHOWN: usize = 10;

/// What is said of a replay before it begins.
pub(crate) struct Plan<'a> {
    pub(crate) itinerary: &'a Itinerary,
    /// None where lines are sent.
    pub(crate) from: Option<&'a Location>,
    pub(crate) to: &'a str,
    pub(crate) sink: &'a dyn Sink,
    pub(crate) order: Order,
    pub(crate) rate: Option<Rate>,
    /// The name that marks what is sent, if it is marked.
    pub(crate) mark: Option<&'a str>,
    /// How many of the messages were sent before by the same replay.
    pub(crate) before: u64,
}

impl Plan<'_> {
    /// Of what is left; its bytes are taken for its share of all.
    fn time(&self) -> Option<std::time::Duration> {
        let total = self.itinerary.total;
        let left = total.messages.saturating_sub(self.before);
        let bytes = total.bytes as f64 * (left as f64 / total.messages.max(1) as f64);
        self.rate.map(|rate| rate.time(left, bytes as u64))
    }

    pub(crate) fn text(&self) -> String {
        let (itinerary, count) = (self.itinerary, figures::count);
        let mut text = String::new();
        let mut line = |name: &str, what: String| {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{name:<10} {what}");
        };
        line("messages", format!("{}, {}", count(itinerary.total.messages), figures::bytes(itinerary.total.bytes)));
        line("from", self.from.map_or("standard input".to_owned(), ToString::to_string));
        let audience = match self.sink.capabilities().audience {
            Audience::AllSubscribers => ": EVERY subscriber there gets them, not only the one that lost them",
            Audience::One => "",
        };
        line("to", format!("{}{audience}", self.to));
        if self.to.starts_with("servicebus://") {
            let what = "an entity with duplicate detection confirms and drops messages whose ids it saw within its window";
            line("beware", what.to_owned());
        }
        if let Some((first, last)) = &itinerary.ends {
            line("published", format!("{first} to {last}"));
        }
        for (name, what) in self.hours() {
            line(&name, what);
        }
        line("order", self.order());
        match (self.rate, self.time()) {
            (Some(rate), Some(time)) => {
                let seconds = std::time::Duration::from_secs(time.as_secs().max(1));
                line("rate", format!("{rate} at most, so it takes about {}", humantime::format_duration(seconds)));
            }
            _ => line("rate", "as fast as the sink takes them (--rate bounds it)".to_owned()),
        }
        match self.mark {
            Some(name) => line("marks", format!("persistor-replay={name}, persistor-original-id, persistor-original-time")),
            None if self.from.is_none() => line("marks", "those that the lines have".to_owned()),
            None => line("marks", "none: nothing tells these messages from the ones that were sent first".to_owned()),
        }
        if self.before > 0 {
            line("sent", format!("{} before; those are not sent again", count(self.before)));
        }
        for (replay, messages) in itinerary.replays.iter().take(SHOWN) {
            line(
                "left out",
                format!(
                    "{} that the replay `{}` had sent, by their mark (--include-replays sends them too)",
                    count(*messages),
                    visible(replay)
                ),
            );
        }
        if itinerary.replays.len() > SHOWN {
            line("left out", format!("those of {} more replays", itinerary.replays.len() - SHOWN));
        }
        if itinerary.duplicates > 0 {
            line(
                "left out",
                format!("{} second keys of messages with a key under each of two layouts", count(itinerary.duplicates)),
            );
        }
        for (name, messages) in itinerary.stripped.iter().take(SHOWN) {
            let what = "the sink keeps such names for itself";
            line("without", format!("the attribute `{}` of {} messages: {what}", visible(name), count(*messages)));
        }
        for (name, messages) in itinerary.dropped.iter().take(SHOWN) {
            line(
                "without",
                format!("the property `{}` of {} messages, which the sink has no place for", visible(name), count(*messages)),
            );
        }
        if itinerary.retyped > 0 {
            line("as text", format!("typed attributes of {} messages: the sink has text alone", count(itinerary.retyped)));
        }
        if itinerary.unmarked > 0 {
            line(
                "unmarked",
                format!("{} messages, which have no room for the marks; the journal names them", count(itinerary.unmarked)),
            );
        }
        line("price", prices::text(self.from, self.to, itinerary));
        text
    }

    fn order(&self) -> String {
        let ordered = self.itinerary.ordered;
        match self.order {
            Order::Key if ordered == 0 => "side by side: none of them has an ordering key or session".to_owned(),
            Order::Key => format!(
                "one after the other where they have the same ordering key or session ({} have one), else side by side",
                figures::count(ordered)
            ),
            Order::All => "all one after the other".to_owned(),
            Order::None => "side by side, also with the same ordering key or session".to_owned(),
        }
    }

    /// A line for each stream and hour, or day where there are many hours.
    fn hours(&self) -> Vec<(String, String)> {
        let hours = &self.itinerary.hours;
        let (form, name) = if hours.len() > HOURS { ("%Y-%m-%d", "day") } else { ("%Y-%m-%d %H:00", "hour") };
        let mut rows: Vec<(&str, String, Amount)> = Vec::new();
        for ((stream, hour), amount) in hours {
            let when = hour.format(form).to_string();
            match rows.last_mut() {
                Some((last, time, sum)) if *last == stream.as_str() && *time == when => {
                    sum.messages += amount.messages;
                    sum.bytes += amount.bytes;
                }
                _ => rows.push((stream, when, *amount)),
            }
        }
        let more = rows.len().saturating_sub(HOURS);
        let mut lines: Vec<_> = rows
            .into_iter()
            .take(HOURS)
            .map(|(stream, when, amount)| {
                let (messages, bytes) = (figures::count(amount.messages), figures::bytes(amount.bytes));
                (format!("in the {name}"), format!("{when}  {messages:>11}  {bytes:>9}  {}", visible(stream)))
            })
            .collect();
        if more > 0 {
            lines.push((String::new(), format!("and {more} more lines (--dry-run --json has all hours)")));
        }
        lines
    }

    pub(crate) fn json(&self) -> Value {
        let itinerary = self.itinerary;
        let hours: Vec<_> = itinerary
            .hours
            .iter()
            .map(|((stream, hour), amount)| {
                json!({ "stream": stream, "hour": format!("{}Z", hour.format("%Y-%m-%dT%H:%M:%S")), "messages": amount.messages, "bytes": amount.bytes })
            })
            .collect();
        let misfits: Vec<_> =
            itinerary.misfits.iter().map(|misfit| json!({ "key": misfit.key, "reason": misfit.reason })).collect();
        json!({
            "messages": itinerary.total.messages, "bytes": itinerary.total.bytes, "from": self.from.map(ToString::to_string), "to": self.to,
            "first": itinerary.ends.as_ref().map(|(first, _)| first), "last": itinerary.ends.as_ref().map(|(_, last)| last),
            "hours": hours, "entities": itinerary.entities, "ordered": itinerary.ordered, "seconds": self.time().map(|time| time.as_secs_f64()),
            "mark": self.mark, "replays_left_out": itinerary.replays, "duplicates": itinerary.duplicates, "stripped": itinerary.stripped, "dropped": itinerary.dropped,
            "retyped": itinerary.retyped, "unmarked": itinerary.unmarked, "misfits": itinerary.misfit, "misfit": misfits,
            "all_subscribers": self.sink.capabilities().audience == Audience::AllSubscribers,
            "dollars": prices::dollars(self.from, self.to, itinerary),
        })
    }
}
