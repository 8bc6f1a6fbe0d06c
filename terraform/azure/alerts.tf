# Alerts. Metrics where there are any, since they cost nothing while all is well and do not depend on logs; queries of the logs for the rest.

locals {
  broker_kind   = local.event_hub != null ? "Microsoft.EventHub/namespaces" : "Microsoft.ServiceBus/namespaces"
  entity_names  = compact([try(local.event_hub.name, null), try(local.topic.name, null), local.read_queue])
  waiting_names = local.read_queue != null ? [local.read_queue] : local.entity_names

  # An existing queue's or topic's largest size is asked for; without an answer there is nothing to compare with.
  size_limits_mb = merge(
    local.topic == null ? {} : { (local.topic.name) = coalesce(try(local.topic.create.max_size_in_megabytes, null), one(data.azurerm_servicebus_topic.existing[*].max_size_in_megabytes), 1024) },
    local.queue_behind == null ? {} : { (local.queue_behind.name) = local.queue_behind.max_size_in_megabytes },
    local.queue == null ? {} : { (local.queue.name) = coalesce(one(data.azurerm_servicebus_queue.own[*].max_size_in_megabytes), 1024) },
  )

  # Of these in a Standard namespace the provider tells a sixteenth of the size.
  partitioned = coalesce(one(concat(data.azurerm_servicebus_topic.existing[*].partitioning_enabled, data.azurerm_servicebus_queue.own[*].partitioning_enabled)), false)

  of_queues = local.event_hub == null

  metric_alerts = { for name, alert in merge(
    { for name in compact([try(local.topic.name, null), local.read_queue]) : "size-${name}" => {
      when        = local.of_queues
      description = "${name} has ${var.alerts.size_percent} % of its largest size. A full one refuses what producers send.${local.partitioned && name != try(local.queue_behind.name, null) ? " It is partitioned: in a Standard namespace it takes sixteen times that size, and this came early." : ""}"
      severity    = 1
      scope       = local.namespace_id
      kind        = local.broker_kind
      metric      = "Size"
      aggregation = "Maximum"
      operator    = "GreaterThan"
      threshold   = floor(local.size_limits_mb[name] * 1024 * 1024 * var.alerts.size_percent / 100)
      window      = "PT15M"
      dimensions  = { EntityName = [name] }
    } },
    {
      backlog = {
        when        = local.of_queues
        description = "More than ${var.alerts.backlog} messages wait in ${join(", ", local.waiting_names)}: the archive is behind, or stands still."
        severity    = 2
        scope       = local.namespace_id
        kind        = local.broker_kind
        metric      = "ActiveMessages"
        aggregation = "Average"
        operator    = "GreaterThan"
        threshold   = var.alerts.backlog
        window      = "PT30M"
        dimensions  = { EntityName = local.waiting_names }
      }
      dead-letters = {
        when        = local.of_queues
        description = "More than ${var.alerts.dead_letters} messages of ${join(", ", local.entity_names)} were given up: refused, expired, or without a place in the queue behind."
        severity    = 1
        scope       = local.namespace_id
        kind        = local.broker_kind
        metric      = "DeadletteredMessages"
        aggregation = "Maximum"
        operator    = "GreaterThan"
        threshold   = var.alerts.dead_letters
        window      = "PT15M"
        dimensions  = { EntityName = local.entity_names }
      }
      throttled = {
        when        = true
        description = "The namespace turns away requests for ${join(", ", local.entity_names)}: it is too small for what is asked of it, by the archive or by others."
        severity    = 3
        scope       = local.namespace_id
        kind        = local.broker_kind
        metric      = "ThrottledRequests"
        aggregation = "Total"
        operator    = "GreaterThan"
        threshold   = 100
        window      = "PT15M"
        dimensions  = { EntityName = local.entity_names }
      }
      broker-errors = {
        when        = true
        description = "The namespace fails requests for ${join(", ", local.entity_names)} by its own fault."
        severity    = 3
        scope       = local.namespace_id
        kind        = local.broker_kind
        metric      = "ServerErrors"
        aggregation = "Total"
        operator    = "GreaterThan"
        threshold   = 10
        window      = "PT15M"
        dimensions  = { EntityName = local.entity_names }
      }
      # Not ClientOtherError: a message that comes again finds its blob there, and that is one.
      storage-errors = {
        when        = local.makes_archive
        description = "The archive's account refuses or fails requests: rights, limits, or an outage. After one it may fire once more, where Azure answers 403 (AuthorizationError) for a message that comes again and is stored already."
        severity    = 1
        scope       = one(azurerm_storage_account.archive[*].id)
        kind        = "Microsoft.Storage/storageAccounts"
        metric      = "Transactions"
        aggregation = "Total"
        operator    = "GreaterThan"
        threshold   = 10
        window      = "PT15M"
        dimensions = { ResponseType = [
          "AuthorizationError", "ClientAccountBandwidthThrottlingError", "ClientAccountRequestThrottlingError", "ClientThrottlingError",
          "NetworkError", "ServerBusyError", "ServerOtherError", "ServerTimeoutError",
        ] }
      }
      storage-availability = {
        when        = local.makes_archive
        description = "The archive's account is not available to one request in a hundred."
        severity    = 2
        scope       = one(azurerm_storage_account.archive[*].id)
        kind        = "Microsoft.Storage/storageAccounts"
        metric      = "Availability"
        aggregation = "Average"
        operator    = "LessThan"
        threshold   = 99
        window      = "PT15M"
        dimensions  = {}
      }
    },
  ) : name => alert if var.alerts.enabled && alert.when }

  # They are asked of this app's Application Insights, and so of this app alone.
  log_alerts = { for name, alert in {
    failures = {
      when        = true
      description = "A call failed, or the program said that something is wrong: a message was not stored and comes again. The line in the log has the reason."
      severity    = 2
      every       = "PT15M"
      window      = "PT15M"
      query       = <<-EOT
        union isfuzzy=true
          (requests | where success == false | project timestamp),
          (traces | where message contains '"severity":"ERROR"' | project timestamp)
      EOT
      operator    = "GreaterThan"
      threshold   = 0
    }
    rejected = {
      when        = !local.of_queues
      description = "An event cannot be read. Its whole call is kept under _persistor/rejected/."
      severity    = 1
      every       = "PT15M"
      window      = "PT15M"
      query       = "traces | where message contains 'an event cannot be read'"
      operator    = "GreaterThan"
      threshold   = 0
    }
    # Where nothing is called, a metric says nothing, while a query has no rows, and these can be counted.
    idle = {
      when        = var.alerts.idle
      description = "No call for a day: nothing was sent, or nothing arrives."
      severity    = 2
      every       = "PT1H"
      window      = "P1D"
      query       = "customMetrics | where name == '${local.function} Count' and valueSum > 0"
      operator    = "LessThan"
      threshold   = 1
    }
  } : name => alert if var.alerts.enabled && alert.when }
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each = local.metric_alerts

  name                = "${var.name}-${each.key}"
  description         = each.value.description
  resource_group_name = local.resource_group_name
  tags                = var.tags
  scopes              = [each.value.scope]
  severity            = each.value.severity
  frequency           = "PT5M"
  window_size         = each.value.window

  criteria {
    metric_namespace = each.value.kind
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = each.value.operator
    threshold        = each.value.threshold

    dynamic "dimension" {
      for_each = each.value.dimensions
      content {
        name     = dimension.key
        operator = "Include"
        values   = dimension.value
      }
    }
  }

  dynamic "action" {
    for_each = toset(var.alerts.action_group_ids)
    content {
      action_group_id = action.value
    }
  }

  depends_on = [azurerm_servicebus_topic.new, azurerm_servicebus_queue.behind]
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = local.log_alerts

  name                    = "${var.name}-${each.key}"
  description             = each.value.description
  resource_group_name     = local.resource_group_name
  location                = var.location
  tags                    = var.tags
  scopes                  = [azurerm_application_insights.this.id]
  severity                = each.value.severity
  evaluation_frequency    = each.value.every
  window_duration         = each.value.window
  auto_mitigation_enabled = true
  # A new workspace has none of the tables yet.
  skip_query_validation = true

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = each.value.operator
    threshold               = each.value.threshold
  }

  dynamic "action" {
    for_each = length(var.alerts.action_group_ids) == 0 ? [] : [var.alerts.action_group_ids]
    content {
      action_groups = action.value
    }
  }
}
