# Streams: several, existing and new topics, and what a stream can ask for.

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

run "several" {
  command = plan

  variables {
    streams = {
      orders          = { topic = "projects/shop/topics/orders", ordering = true }
      "payments.v2"   = { topic = "projects/bank/topics/payments", may_rest = true }
      shipments-north = { topic = "shipments", create_topic = true }
    }
  }

  assert {
    condition = { for stream, one in google_pubsub_subscription.this : stream => [one.name, one.topic, one.push_config[0].push_endpoint, one.enable_message_ordering] } == {
      orders          = ["persistor-orders", "projects/shop/topics/orders", "https://persistor-abcdefghij-ew.a.run.app/orders", true]
      "payments.v2"   = ["persistor-payments.v2", "projects/bank/topics/payments", "https://persistor-abcdefghij-ew.a.run.app/payments.v2", false]
      shipments-north = ["persistor-shipments-north", "projects/my-project/topics/made-here", "https://persistor-abcdefghij-ew.a.run.app/shipments-north", false]
    }
    error_message = "Each stream has a subscription of its own, and all share one service."
  }
  assert {
    condition     = alltrue([for one in google_pubsub_subscription.this : one.project == "my-project" && one.expiration_policy[0].ttl == "" && one.message_retention_duration == "2678400s" && length(one.dead_letter_policy) == 0])
    error_message = "What holds for one subscription holds for all."
  }
  assert {
    condition     = keys(google_pubsub_topic.this) == ["shipments-north"] && google_pubsub_topic.this["shipments-north"].name == "shipments" && google_pubsub_topic.this["shipments-north"].deletion_policy == "PREVENT" && length(google_pubsub_topic.this["shipments-north"].message_transforms) == 0
    error_message = "Only the new topic is made."
  }
}

run "dead_letters" {
  command = plan

  variables {
    streams = {
      orders   = { topic = "projects/shop/topics/orders", dead_letters = true }
      payments = { topic = "projects/shop/topics/payments" }
    }
  }

  assert {
    condition     = google_pubsub_subscription.this["orders"].dead_letter_policy[0].max_delivery_attempts == 100 && google_pubsub_subscription.this["orders"].dead_letter_policy[0].dead_letter_topic == "projects/my-project/topics/dead-letters-made-here"
    error_message = "A dead letter is one after 100 attempts."
  }
  assert {
    condition     = google_pubsub_topic.dead_letters["orders"].name == "persistor-orders-dead-letters" && google_pubsub_subscription.dead_letters["orders"].topic == "projects/my-project/topics/dead-letters-made-here"
    error_message = "Dead letters have a topic and a subscription that keeps them."
  }
  assert {
    condition     = google_pubsub_subscription.dead_letters["orders"].expiration_policy[0].ttl == "" && google_pubsub_subscription.dead_letters["orders"].message_retention_duration == "2678400s" && length(google_pubsub_subscription.dead_letters["orders"].push_config) == 0
    error_message = "It never expires, keeps them for 31 days, and pushes nowhere."
  }
  assert {
    condition     = length(google_pubsub_subscription.this["payments"].dead_letter_policy) == 0 && output.dead_letter_subscriptions == { orders = "persistor-orders-dead-letters" }
    error_message = "Only where they are asked for."
  }
}

# An hour's outage of the store: attempts 10, 20, 40 … 600 seconds apart. The sum is spelt out in docs/deploy-gcp.md.
run "an_hour_without_the_store" {
  command = plan

  variables {
    streams = { orders = { topic = "projects/shop/topics/orders", dead_letters = true } }
  }

  # Pauses double from the minimum to the maximum: so many attempts fit into an hour.
  assert {
    condition = 1 + length([for attempt in range(1, 100) : attempt if sum([for pause in range(attempt) :
      min(tonumber(trimsuffix(google_pubsub_subscription.this["orders"].retry_policy[0].maximum_backoff, "s")), tonumber(trimsuffix(google_pubsub_subscription.this["orders"].retry_policy[0].minimum_backoff, "s")) * pow(2, pause))
    ]) <= 3600]) == 11 && google_pubsub_subscription.this["orders"].dead_letter_policy[0].max_delivery_attempts == 100
    error_message = "An hour's outage takes 11 attempts, far below the 100 after which a message is a dead letter."
  }
  assert {
    condition     = tonumber(trimsuffix(google_pubsub_subscription.this["orders"].message_retention_duration, "s")) >= 31 * 86400
    error_message = "An hour's outage must stay far below the retention of what is not acknowledged."
  }
}

run "filter" {
  command = plan

  variables {
    streams = {
      north = { topic = "projects/shop/topics/orders", filter = "attributes.tenant = \"north\"", filter_drops_messages = true }
      south = { topic = "projects/shop/topics/orders", filter = "attributes.tenant = \"south\"", filter_drops_messages = true }
    }
  }

  assert {
    condition     = google_pubsub_subscription.this["north"].filter == "attributes.tenant = \"north\"" && google_pubsub_subscription.this["south"].filter == "attributes.tenant = \"south\""
    error_message = "A filter passes if it is said what it does, and then a topic may have two streams."
  }
}

run "labels" {
  command = plan

  variables {
    labels  = { team = "data" }
    streams = { orders = { topic = "orders", create_topic = true, dead_letters = true } }
  }

  assert {
    condition = alltrue([for labels in [
      google_storage_bucket.archive[0].labels, google_storage_bucket.package[0].labels, google_cloud_run_v2_service.this.labels,
      google_pubsub_subscription.this["orders"].labels, google_pubsub_topic.this["orders"].labels,
      google_pubsub_topic.dead_letters["orders"].labels, google_pubsub_subscription.dead_letters["orders"].labels,
      google_monitoring_alert_policy.this["backlog"].user_labels,
    ] : labels == tomap({ team = "data" })])
    error_message = "Everything that can have labels has them."
  }
}

run "apis_of_others" {
  command = plan

  variables {
    enable_apis = false
  }

  assert {
    condition     = length(google_project_service.this) == 0
    error_message = "Who switches APIs on elsewhere can leave it there."
  }
}

run "template" {
  command = plan

  variables {
    key_template = "{shard:2}/{attribute:tenant|none}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
  }

  assert {
    condition     = local.environment.PERSISTOR_KEY_TEMPLATE == "{shard:2}/{attribute:tenant|none}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
    error_message = "The template reaches the program."
  }
}

# Another service in the same project: every name differs.
run "another_name" {
  command = plan

  variables {
    name = "audit-eu"
  }

  assert {
    condition     = google_cloud_run_v2_service.this.name == "audit-eu" && google_storage_bucket.archive[0].name == "my-project-audit-eu" && google_pubsub_subscription.this["orders"].name == "audit-eu-orders" && google_service_account.runtime.account_id == "audit-eu-runtime" && google_service_account.push.account_id == "audit-eu-push" && google_project_iam_custom_role.reader[0].role_id == "audit_eu_reader"
    error_message = "All names begin with the name."
  }
}

# Callers that pass their own optional inputs on.
run "null_is_the_default" {
  command = plan

  variables {
    name                  = null
    memory_mib            = null
    soft_delete_days      = null
    deletion_protection   = null
    alerts                = null
    notification_channels = null
  }

  assert {
    condition     = google_cloud_run_v2_service.this.name == "persistor" && google_cloud_run_v2_service.this.deletion_protection && local.environment.PERSISTOR_MEMORY == "384MiB" && google_storage_bucket.archive[0].soft_delete_policy[0].retention_duration_seconds == 2592000 && length(google_monitoring_alert_policy.this) == 5
    error_message = "Null stands for the default, and switches no protection off."
  }
}
