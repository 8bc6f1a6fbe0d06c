# Alerts: what they watch, and what they tell.

mock_provider "google" {
  source = "./tests/mocks"
}

mock_provider "google-beta" {
  source = "./tests/mocks"
}

variables {
  project = "my-project"
  region  = "europe-west1"
  streams = { orders = { topic = "projects/shop/topics/orders" } }
  package = { path = "tests/fixtures/package.tar.gz" }
}

run "alerts" {
  command = plan

  variables {
    streams = {
      orders   = { topic = "projects/shop/topics/orders", dead_letters = true }
      payments = { topic = "projects/shop/topics/payments", may_rest = true }
    }
    notification_channels = ["projects/my-project/notificationChannels/1"]
  }

  assert {
    condition     = alltrue([for one in google_monitoring_alert_policy.this : one.notification_channels == tolist(["projects/my-project/notificationChannels/1"]) && coalesce(one.enabled, true) && length(one.documentation[0].content) > 200])
    error_message = "Each alert goes to the channel, and says what to do."
  }
  assert {
    condition     = alltrue([for one in google_monitoring_alert_policy.this : alltrue([for condition in one.conditions : alltrue([for inner in concat(condition.condition_threshold, condition.condition_absent) : length(inner.filter) <= 2048])])])
    error_message = "A filter has at most 2,048 characters."
  }

  assert {
    condition     = google_monitoring_alert_policy.this["backlog"].conditions[0].condition_threshold[0].filter == "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(\"persistor-orders\",\"persistor-payments\")"
    error_message = "The backlog of every subscription is watched."
  }
  # A message that failed is tried again after 10 minutes at most, so 30 minutes are no accident.
  assert {
    condition     = google_monitoring_alert_policy.this["backlog"].conditions[0].condition_threshold[0].threshold_value == 1800 && google_monitoring_alert_policy.this["backlog"].conditions[0].condition_threshold[0].comparison == "COMPARISON_GT" && google_monitoring_alert_policy.this["backlog"].severity == "CRITICAL"
    error_message = "Messages that wait for 30 minutes are told."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["refused"].conditions[0].condition_threshold[0].filter, "push_request_count\" AND metric.labels.response_class = \"remote_server_4xx\" AND metric.labels.response_code != \"429\" AND") && google_monitoring_alert_policy.this["refused"].conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "Every refusal is told, but not that all instances are busy, as they are after an outage."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["failing"].conditions[0].condition_threshold[0].filter, "\"remote_server_5xx\"") && strcontains(google_monitoring_alert_policy.this["failing"].conditions[0].condition_threshold[0].filter, "\"deadline_exceeded\"") && google_monitoring_alert_policy.this["failing"].conditions[0].condition_threshold[0].threshold_value == 5
    error_message = "Failures are told, a few of them not."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["failing"].conditions[1].condition_threshold[0].filter, "push_request_count\" AND metric.labels.response_class = \"remote_server_4xx\" AND metric.labels.response_code = \"429\" AND") && google_monitoring_alert_policy.this["failing"].conditions[1].condition_threshold[0].threshold_value == 5
    error_message = "That all instances are busy is told with the failures, a few times not."
  }
  # How long something must last, condition by condition. docs/deploy-gcp.md reckons with the backlog's: 1,800 and 300 seconds are 35 minutes.
  assert {
    condition = { for kind, one in google_monitoring_alert_policy.this : kind => flatten([for condition in one.conditions : concat(condition.condition_threshold[*].duration, condition.condition_absent[*].duration)]) } == {
      backlog      = ["300s"]
      dead_letters = ["0s"]
      failing      = ["0s", "0s"]
      ramp         = ["300s"]
      refused      = ["0s"]
      silent       = ["84600s", "0s"]
    }
    error_message = "An alert comes neither at once nor late."
  }
  assert {
    condition     = google_monitoring_alert_policy.this["silent"].conditions[0].condition_absent[0].duration == "84600s" && google_monitoring_alert_policy.this["silent"].conditions[1].condition_threshold[0].comparison == "COMPARISON_LT" && google_monitoring_alert_policy.this["silent"].conditions[1].condition_threshold[0].threshold_value == 1 && google_monitoring_alert_policy.this["silent"].conditions[1].condition_threshold[0].aggregations[0].alignment_period == "84600s"
    error_message = "A day without a push is told, as long as Monitoring can look back."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["silent"].conditions[0].condition_absent[0].filter, "one_of(\"persistor-orders\")")
    error_message = "A stream that may rest is not missed."
  }
  assert {
    condition     = google_monitoring_alert_policy.this["ramp"].conditions[0].condition_threshold[0].filter == "metric.type = \"storage.googleapis.com/api/request_count\" AND metric.labels.method = \"WriteObject\" AND resource.type = \"gcs_bucket\" AND resource.labels.bucket_name = \"my-project-persistor\"" && google_monitoring_alert_policy.this["ramp"].conditions[0].condition_threshold[0].threshold_value == 800 && google_monitoring_alert_policy.this["ramp"].conditions[0].condition_threshold[0].aggregations[0].per_series_aligner == "ALIGN_RATE"
    error_message = "The bucket's writes a second are watched, below the limit of 1,000."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["dead_letters"].conditions[0].condition_threshold[0].filter, "dead_letter_message_count\" AND resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(\"persistor-orders\")")
    error_message = "Dead letters are told, where there can be some."
  }
}

run "all_may_rest" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", may_rest = true } }
  }

  assert {
    condition     = keys(google_monitoring_alert_policy.this) == ["backlog", "failing", "ramp", "refused"]
    error_message = "Where all streams may rest, silence is no alert."
  }
}

# What the alert on the bucket's writes advises, switches it off: then so many are right.
run "shard" {
  command = plan

  variables {
    key_template = "{shard:2}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
  }

  assert {
    condition     = keys(google_monitoring_alert_policy.this) == ["backlog", "failing", "refused", "silent"]
    error_message = "With a shard, 800 writes a second are no alert."
  }
}

run "existing_bucket" {
  command = plan

  variables {
    bucket = "shared-archive"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.this["ramp"].conditions[0].condition_threshold[0].filter, "resource.labels.bucket_name = \"shared-archive\"")
    error_message = "The limit is the bucket's, whoever made it."
  }
}

run "off" {
  command = plan

  variables {
    alerts = false
  }

  assert {
    condition     = length(google_monitoring_alert_policy.this) == 0 && output.alerts == {}
    error_message = "Alerts can be switched off."
  }
}
