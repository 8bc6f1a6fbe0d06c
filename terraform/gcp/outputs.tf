output "archive" {
  description = "The archive's URL, for `persistor -a`."
  value       = local.archive
}

output "bucket" {
  description = "Name of the archive's bucket."
  value       = var.bucket == null ? google_storage_bucket.archive[0].name : var.bucket
}

output "service" {
  description = "The Cloud Run service: `name`, `location` and `uri`."
  value = {
    name     = google_cloud_run_v2_service.this.name
    location = google_cloud_run_v2_service.this.location
    uri      = google_cloud_run_v2_service.this.uri
  }
}

output "subscriptions" {
  description = "By stream: the name of its subscription."
  value       = { for stream, one in google_pubsub_subscription.this : stream => one.name }
}

output "topics" {
  description = "By stream: the full name of its topic."
  value       = { for stream, one in google_pubsub_subscription.this : stream => one.topic }
}

output "dead_letter_subscriptions" {
  description = "By stream, where dead letters were asked for: the name of the subscription that has them."
  value       = { for stream, one in google_pubsub_subscription.dead_letters : stream => one.name }
}

output "identities" {
  description = "Emails of `runtime`, which stores, of `push`, which calls the service, and of `pubsub_agent`, which makes the latter's tokens."
  value = {
    runtime      = google_service_account.runtime.email
    push         = google_service_account.push.email
    pubsub_agent = google_project_service_identity.pubsub.email
  }
}

output "reader_role" {
  description = "Name of the custom role for reading the archive, or null."
  value       = one(google_project_iam_custom_role.reader[*].name)
}

output "replayer_role" {
  description = "Name of the custom role for replaying from the archive, or null."
  value       = one(google_project_iam_custom_role.replayer[*].name)
}

output "alerts" {
  description = "By kind: the name of the alert policy."
  value       = { for kind, one in google_monitoring_alert_policy.this : kind => one.name }
}

output "try_it" {
  description = "By stream: a command that publishes a message, which is then in the archive, and with every other subscriber of the topic."
  value = { for stream, one in google_pubsub_subscription.this :
    stream => "gcloud pubsub topics publish ${one.topic} --message='hello'"
  }
}

output "look" {
  description = "A command that says whether and what is archived."
  value       = "persistor status -a ${local.archive}"
}
