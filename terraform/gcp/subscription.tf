locals {
  subscriptions = { for stream in keys(var.streams) : stream => "${var.name}-${stream}" }
  dead_letters  = { for stream, one in var.streams : stream => one if one.dead_letters }
  # The platform's longest.
  retention         = "2678400s"
  protection_policy = var.deletion_protection ? "PREVENT" : "DELETE"
}

# Topics that are to be made; existing ones are only referred to.
resource "google_pubsub_topic" "this" {
  for_each = { for stream, one in var.streams : stream => one if one.create_topic }

  project         = var.project
  name            = each.value.topic
  kms_key_name    = var.kms_key
  deletion_policy = local.protection_policy
  labels          = var.labels

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.pubsub]
}

resource "google_pubsub_subscription" "this" {
  for_each = var.streams

  project                    = var.project
  name                       = local.subscriptions[each.key]
  topic                      = each.value.create_topic ? google_pubsub_topic.this[each.key].id : each.value.topic
  ack_deadline_seconds       = var.ack_deadline_seconds
  message_retention_duration = local.retention
  enable_message_ordering    = each.value.ordering
  filter                     = each.value.filter
  deletion_policy            = local.protection_policy
  labels                     = var.labels

  # Wrapped, since a sender could choose headers otherwise.
  push_config {
    push_endpoint = "${google_cloud_run_v2_service.this.uri}/${each.key}"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloud_run_v2_service.this.uri
    }
  }

  expiration_policy {
    ttl = "" # Never.
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.dead_letters ? [google_pubsub_topic.dead_letters[each.key].id] : []
    content {
      dead_letter_topic     = dead_letter_policy.value
      max_delivery_attempts = 100 # The platform's most.
    }
  }

  # Otherwise the first pushes are refused, and come again later than they need to; and a destroy that stops at the subscription would have taken the rights away.
  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_service_account_iam_member.pubsub_agent,
  ]
}

resource "google_pubsub_topic" "dead_letters" {
  for_each = local.dead_letters

  project         = var.project
  name            = "${local.subscriptions[each.key]}-dead-letters"
  kms_key_name    = var.kms_key
  deletion_policy = local.protection_policy
  labels          = var.labels

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.pubsub]
}

# Without a subscription, what is published to a topic is gone.
resource "google_pubsub_subscription" "dead_letters" {
  for_each = local.dead_letters

  project                    = var.project
  name                       = "${local.subscriptions[each.key]}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters[each.key].id
  ack_deadline_seconds       = 600
  message_retention_duration = local.retention
  deletion_policy            = local.protection_policy
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }
}
