# Each alert says what to do. Numbers: a message that cannot be stored is tried again after at most 10 minutes, a bucket takes about 1,000 writes a second,
# and absence is noticed by Monitoring for 23 hours and 30 minutes at most.
locals {
  of_subscriptions = { for kind, streams in {
    all         = keys(var.streams)
    resting_not = [for stream, one in var.streams : stream if !one.may_rest]
    dead_letter = keys(local.dead_letters)
    } : kind => "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(${join(",", [for stream in streams : "\"${local.subscriptions[stream]}\""])})"
  }
  pushes = "metric.type = \"pubsub.googleapis.com/subscription/push_request_count\""

  alert_policies = { for kind, policy in {
    backlog = {
      title    = "messages wait to be archived"
      severity = "CRITICAL"
      used     = true
      conditions = [{
        title    = "the oldest unacknowledged message is older than 30 minutes"
        filter   = "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.of_subscriptions.all}"
        period   = "60s"
        aligner  = "ALIGN_MAX"
        reducer  = "REDUCE_MAX"
        above    = 1800
        duration = "300s"
      }]
      text = <<-TEXT
        Messages are not stored, or not fast enough. Nothing is lost yet: Pub/Sub keeps them for 31 days from their publishing, then they are gone.

        1. `gcloud run services logs read ${var.name} --project=${var.project} --region=${var.region} --limit=50`: an `error` says what the store refused, a `warn` what was refused of a message.
        2. No lines at all: the service does not start, or pushes do not reach it. See the replies of the subscription (`push_request_count` by `response_code`), and that `${var.name}-push` may invoke the service.
        3. Only falling behind: raise `max_instances`, and see the alert on the bucket's writes.
      TEXT
    }

    refused = {
      title    = "pushes are refused (4xx but 429)"
      severity = "ERROR"
      used     = true
      conditions = [{
        title    = "replies 4xx but 429 in 15 minutes"
        filter   = "${local.pushes} AND metric.labels.response_class = \"remote_server_4xx\" AND metric.labels.response_code != \"429\" AND ${local.of_subscriptions.all}"
        period   = "900s"
        aligner  = "ALIGN_DELTA"
        reducer  = "REDUCE_SUM"
        above    = 0
        duration = "0s"
      }]
      text = <<-TEXT
        A 4xx is delivered again like every failure, for 31 days. By its code in the log of ${var.name}:

        - 401, 403: the push identity may not invoke the service. `terraform apply` puts the binding back.
        - 400: a message that cannot be read, or `PERSISTOR_PUSH` that is not as the subscription pushes. The log has the reason and, where legible, the message id.
        - 404: the push endpoint's path is not one stream. 413: a body above 32 MiB.
      TEXT
    }

    failing = {
      title    = "pushes fail (5xx or 429)"
      severity = "ERROR"
      used     = true
      # Two conditions, so that neither filter needs an OR. A few 429 are usual while instances are started.
      conditions = [
        {
          title    = "more than 5 replies 5xx, or none in time, in 15 minutes"
          filter   = "${local.pushes} AND metric.labels.response_class = one_of(\"remote_server_5xx\",\"deadline_exceeded\",\"unreachable\",\"internal\",\"invalid\") AND ${local.of_subscriptions.all}"
          period   = "900s"
          aligner  = "ALIGN_DELTA"
          reducer  = "REDUCE_SUM"
          above    = 5
          duration = "0s"
        },
        {
          title    = "more than 5 replies 429 in 15 minutes"
          filter   = "${local.pushes} AND metric.labels.response_class = \"remote_server_4xx\" AND metric.labels.response_code = \"429\" AND ${local.of_subscriptions.all}"
          period   = "900s"
          aligner  = "ALIGN_DELTA"
          reducer  = "REDUCE_SUM"
          above    = 5
          duration = "0s"
        },
      ]
      text = <<-TEXT
        The service or the store fails; messages stay with Pub/Sub and are delivered again.

        - 503 with `not-stored` in the log: Cloud Storage failed or refused, and the line names the permission where one is missing. Does the bucket ${local.bucket} exist, and may ${var.name}-runtime create objects there? Is a key for it disabled?
        - 503 with `busy`: messages are larger than `largest_message`. Raise `memory_mib`, or lower `concurrency`.
        - 429: all `max_instances` are busy, as they are while a backlog is stored. If it stays, raise it.
        - 500 or 504: look for the last lines before; an instance that was killed for its memory is said in the log.
      TEXT
    }

    silent = {
      title    = "no push for a day"
      severity = "WARNING"
      used     = anytrue([for one in values(var.streams) : !one.may_rest])
      # Whether an idle subscription reports nothing or zero is not documented: either is noticed.
      conditions = [
        {
          title    = "no push is reported for 23 hours 30 minutes"
          filter   = "${local.pushes} AND ${local.of_subscriptions.resting_not}"
          period   = "300s"
          aligner  = "ALIGN_DELTA"
          reducer  = "REDUCE_SUM"
          duration = "84600s"
        },
        {
          title    = "no push is counted in 23 hours 30 minutes"
          filter   = "${local.pushes} AND ${local.of_subscriptions.resting_not}"
          period   = "84600s"
          aligner  = "ALIGN_DELTA"
          reducer  = "REDUCE_SUM"
          below    = 1
          duration = "0s"
        },
      ]
      text = <<-TEXT
        Nothing was pushed. Either nothing was published, or the subscription is gone, detached, or pulls.

        1. `gcloud pubsub subscriptions describe SUBSCRIPTION --project=${var.project}`: a topic `_deleted-topic_`, `detached`, or an empty `pushConfig`? `terraform plan` shows what differs.
        2. Where the topic rests at times, set `may_rest = true` for its stream.
      TEXT
    }

    ramp = {
      title    = "the bucket's writes near its limit"
      severity = "WARNING"
      used     = !strcontains(var.key_template, "{shard") # With a shard, so many are usual.
      conditions = [{
        title    = "more than 800 writes a second for 5 minutes"
        filter   = "metric.type = \"storage.googleapis.com/api/request_count\" AND metric.labels.method = \"WriteObject\" AND resource.type = \"gcs_bucket\" AND resource.labels.bucket_name = \"${local.bucket}\""
        period   = "60s"
        aligner  = "ALIGN_RATE"
        reducer  = "REDUCE_SUM"
        above    = 800
        duration = "300s"
      }]
      text = <<-TEXT
        A bucket takes about 1,000 writes a second into one range of names, and more only as the load grows slowly. Above that it answers 429 or 503, and messages wait.

        Names that begin with a stream and a date put all writes of a minute side by side. Set `key_template` with a shard in front: `{shard:2}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}`. Readers find both old and new blobs.
      TEXT
    }

    dead_letters = {
      title    = "messages became dead letters"
      severity = "CRITICAL"
      used     = length(local.dead_letters) > 0
      conditions = [{
        title    = "dead-lettered in 5 minutes"
        filter   = "metric.type = \"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.of_subscriptions.dead_letter}"
        period   = "300s"
        aligner  = "ALIGN_DELTA"
        reducer  = "REDUCE_SUM"
        above    = 0
        duration = "0s"
      }]
      text = <<-TEXT
        Messages were not stored in 100 attempts, and are now in the subscription that ends with `-dead-letters`, under new ids and times, for 31 days. They are in no archive.

        Find out why from the log of ${var.name}, mend it, and publish them to their topic again, or keep them by hand: `gcloud pubsub subscriptions pull SUBSCRIPTION --project=${var.project} --format=json`.
      TEXT
    }
  } : kind => policy if var.alerts && policy.used }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alert_policies

  project               = var.project
  display_name          = "Persistor ${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = var.notification_channels
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = each.value.conditions
    content {
      display_name = conditions.value.title

      dynamic "condition_threshold" {
        for_each = can(conditions.value.above) || can(conditions.value.below) ? [conditions.value] : []
        content {
          filter          = condition_threshold.value.filter
          comparison      = can(condition_threshold.value.above) ? "COMPARISON_GT" : "COMPARISON_LT"
          threshold_value = try(condition_threshold.value.above, condition_threshold.value.below)
          duration        = condition_threshold.value.duration
          aggregations {
            alignment_period     = condition_threshold.value.period
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.reducer
            group_by_fields      = each.key == "ramp" ? [] : ["resource.label.subscription_id"]
          }
        }
      }

      # Neither above nor below: absent.
      dynamic "condition_absent" {
        for_each = can(conditions.value.above) || can(conditions.value.below) ? [] : [conditions.value]
        content {
          filter   = condition_absent.value.filter
          duration = condition_absent.value.duration
          aggregations {
            alignment_period     = condition_absent.value.period
            per_series_aligner   = condition_absent.value.aligner
            cross_series_reducer = condition_absent.value.reducer
            group_by_fields      = ["resource.label.subscription_id"]
          }
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Persistor ${var.name}: ${each.value.title}"
    content   = trimspace(each.value.text)
  }

  alert_strategy {
    auto_close = "604800s"
  }

  depends_on = [google_project_service.this]
}
