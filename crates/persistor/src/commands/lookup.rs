//! What commands that take keys share.

use persistor_core::Key;

use crate::place::Opened;
use crate::screen::Screen;

/// Says that a key is not there, and why that may be.
pub(crate) fn say_absent(screen: &Screen, opened: &Opened, key: &Key) {
    screen.say(format_args!("there is no blob `{key}` in `{}`", opened.location));
    if opened.archive.parse(key).is_none() {
        screen.say("It is no key of a message here: no layout of this archive makes such a name. `persistor ls` lists keys");
    } else {
        screen.say("Its name is one that this archive makes: perhaps it is in another archive, or was removed");
    }
}
