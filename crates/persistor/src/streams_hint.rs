//! What is said where nothing matched: that is never silent, and what is there instead is the best advice.

use chrono::{DateTime, Utc};
use persistor_recover::{Fault, shown, streams};

use crate::place::Opened;
use crate::screen::{Screen, visible};

/// Streams that are named.
const SHOWN: usize = 10;

/// Says that nothing matched, and which streams there are.
pub(crate) async fn nothing(screen: &Screen, opened: &Opened, asked: &[String], now: DateTime<Utc>) -> anyhow::Result<()> {
    let there = streams(&opened.archive, now, false).await?;
    if there.is_empty() {
        let has_layout = !opened.archive.findings().iter().any(|finding| finding.fault == Fault::LayoutMissing);
        screen.say(format_args!("nothing matched: there are no messages in `{}`", opened.location));
        if !has_layout {
            screen.say("It has no `_persistor/layout/` either: is this the place that Persistor writes to, with its prefix?");
        }
        return Ok(());
    }
    for stream in asked.iter().filter(|asked| there.iter().all(|survey| survey.stream != **asked)) {
        screen.say(format_args!("there is no stream `{}` in `{}`", visible(stream), opened.location));
    }
    screen.say(format_args!("nothing matched; in `{}` there are:", opened.location));
    for survey in there.iter().take(SHOWN) {
        screen.say(format_args!("  {}  from {} to {}", visible(&survey.stream), shown(survey.first), shown(survey.last)));
    }
    if there.len() > SHOWN {
        screen.say(format_args!("  and {} more streams: `persistor streams` lists them", there.len() - SHOWN));
    }
    Ok(())
}
