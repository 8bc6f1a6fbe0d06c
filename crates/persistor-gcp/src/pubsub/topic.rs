//! A topic's name: `pubsub://PROJECT/TOPIC`.

use std::fmt;

use persistor_core::{Error, ErrorKind, Result};

/// A topic of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicName {
    project: String,
    topic: String,
}

impl TopicName {
    /// Reads what stands behind `pubsub://`: `PROJECT/TOPIC`, or the full name `projects/PROJECT/topics/TOPIC`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the rule it breaks: <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |rule: &str| Error::new(ErrorKind::Invalid, format!("topic `{text}`: {rule}"));
        let parts: Vec<_> = text.split('/').collect();
        let (project, topic) = match parts[..] {
            [project, topic] | ["projects", project, "topics", topic] => (project, topic),
            ["projects", _, "subscriptions", _] => {
                return Err(invalid("this is a subscription, and messages are sent to a topic: `PROJECT/TOPIC`"));
            }
            _ => return Err(invalid("it is written `PROJECT/TOPIC`, or `projects/PROJECT/topics/TOPIC`")),
        };
        if let Some(rule) = broken_rule_of_project(project).or_else(|| broken_rule_of_topic(topic)) {
            return Err(invalid(rule));
        }
        Ok(Self { project: project.to_owned(), topic: topic.to_owned() })
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The name within the project.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// `projects/PROJECT/topics/TOPIC`.
    pub(crate) fn full(&self) -> String {
        format!("projects/{}/topics/{}", self.project, self.topic)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.topic)
    }
}

/// Old projects have a domain before a colon, such as `example.com:app`; emulators take what is shorter than the real ones. So only what could not be meant is refused.
fn broken_rule_of_project(project: &str) -> Option<&'static str> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
    if project.is_empty() {
        Some("it has no project: `PROJECT/TOPIC`")
    } else if !project.chars().all(known) {
        Some("a project's id holds lower-case letters, digits and `-` only; it is not the project's display name")
    } else {
        None
    }
}

fn broken_rule_of_topic(topic: &str) -> Option<&'static str> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.~+%".contains(c);
    if !(3..=255).contains(&topic.len()) {
        Some("a topic's name has 3 to 255 characters")
    } else if !topic.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Some("a topic's name begins with a letter")
    } else if !topic.chars().all(known) {
        Some("a topic's name holds letters, digits and `-_.~+%` only")
    } else if topic.to_ascii_lowercase().starts_with("goog") {
        Some("names that begin with `goog` are Google's own")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_read_from_both_of_its_names() {
        for text in ["shop-1/orders", "projects/shop-1/topics/orders"] {
            let topic = TopicName::parse(text).expect(text);
            assert_eq!((topic.project(), topic.topic()), ("shop-1", "orders"));
            assert_eq!((topic.full().as_str(), topic.to_string().as_str()), ("projects/shop-1/topics/orders", "shop-1/orders"));
        }
        for text in ["example.com:shop/a.b~c+d%e_f-g", "p/abc", &format!("p/a{}", "b".repeat(254))] {
            assert!(TopicName::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_topic_is_refused_with_its_rule() {
        for (text, rule) in [
            ("", "PROJECT/TOPIC"),
            ("orders", "PROJECT/TOPIC"),
            ("a/b/c", "PROJECT/TOPIC"),
            ("p/orders/", "PROJECT/TOPIC"),
            ("projects/p/topics/orders/", "PROJECT/TOPIC"),
            ("projects/p/subscriptions/orders", "subscription"),
            ("/orders", "no project"),
            ("My Shop/orders", "display name"),
            ("p/ab", "3 to 255"),
            ("p/1orders", "begins with a letter"),
            ("p/or ders", "letters, digits"),
            ("p/ordérs", "letters, digits"),
            ("p/google-orders", "Google's own"),
        ] {
            let error = TopicName::parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(rule), "{text}: {error}");
        }
    }
}
