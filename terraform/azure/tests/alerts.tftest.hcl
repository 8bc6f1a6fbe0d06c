# Alerts: on by default, each on a metric that exists, and off where they are not wanted.

mock_provider "azurerm" {
  source          = "./tests/mocks/azurerm"
  override_during = plan
}

mock_provider "azapi" {
  source          = "./tests/mocks/azapi"
  override_during = plan
}

variables {
  name              = "contoso-orders-archive"
  resource_group_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive"
  location          = "westeurope"
  package           = { url = "https://example.com/releases/v1.0.0/persistor-azure-function.zip" }
  entity = {
    topic = {
      namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
      name         = "orders"
    }
  }
}

run "topic" {
  command = plan

  assert {
    condition     = toset(keys(azurerm_monitor_metric_alert.this)) == toset(["size-orders", "backlog", "dead-letters", "throttled", "broker-errors", "storage-errors", "storage-availability"])
    error_message = "a topic's metrics"
  }

  assert {
    condition     = toset(keys(azurerm_monitor_scheduled_query_rules_alert_v2.this)) == toset(["failures", "idle"])
    error_message = "a topic's logs"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders"].criteria[0].metric_name == "Size" && azurerm_monitor_metric_alert.this["size-orders"].criteria[0].threshold == floor(1024 * 1024 * 1024 * 0.6) && azurerm_monitor_metric_alert.this["size-orders"].criteria[0].operator == "GreaterThan" && azurerm_monitor_metric_alert.this["size-orders"].criteria[0].dimension[0].name == "EntityName" && azurerm_monitor_metric_alert.this["size-orders"].criteria[0].dimension[0].values == tolist(["orders"])
    error_message = "before the topic is full and refuses its producers"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders"].scopes == toset([var.entity.topic.namespace_id]) && azurerm_monitor_metric_alert.this["size-orders"].criteria[0].metric_namespace == "Microsoft.ServiceBus/namespaces"
    error_message = "of its namespace"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["backlog"].criteria[0].metric_name == "ActiveMessages" && azurerm_monitor_metric_alert.this["backlog"].criteria[0].threshold == 10000 && azurerm_monitor_metric_alert.this["backlog"].criteria[0].dimension[0].values == tolist(["orders"])
    error_message = "messages that wait"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["dead-letters"].criteria[0].metric_name == "DeadletteredMessages" && azurerm_monitor_metric_alert.this["dead-letters"].criteria[0].threshold == 0 && azurerm_monitor_metric_alert.this["dead-letters"].severity == 1
    error_message = "the first dead letter"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["throttled"].criteria[0].metric_name == "ThrottledRequests" && azurerm_monitor_metric_alert.this["broker-errors"].criteria[0].metric_name == "ServerErrors"
    error_message = "the namespace's trouble"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["storage-errors"].scopes == toset([azurerm_storage_account.archive[0].id]) && azurerm_monitor_metric_alert.this["storage-errors"].criteria[0].metric_name == "Transactions" && contains(azurerm_monitor_metric_alert.this["storage-errors"].criteria[0].dimension[0].values, "AuthorizationError") && !contains(azurerm_monitor_metric_alert.this["storage-errors"].criteria[0].dimension[0].values, "ClientOtherError") && !contains(azurerm_monitor_metric_alert.this["storage-errors"].criteria[0].dimension[0].values, "Success")
    error_message = "the store's refusals, but not a message that is there already"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["storage-availability"].criteria[0].metric_name == "Availability" && azurerm_monitor_metric_alert.this["storage-availability"].criteria[0].operator == "LessThan" && azurerm_monitor_metric_alert.this["storage-availability"].criteria[0].threshold == 99
    error_message = "the store's absence"
  }

  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.this["failures"].scopes == tolist([azurerm_application_insights.this.id]) && strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.this["failures"].criteria[0].query, "success == false") && strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.this["failures"].criteria[0].query, "\"severity\":\"ERROR\"")
    error_message = "a call that failed, or an error that the program told"
  }

  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.this["idle"].window_duration == "P1D" && azurerm_monitor_scheduled_query_rules_alert_v2.this["idle"].criteria[0].operator == "LessThan" && azurerm_monitor_scheduled_query_rules_alert_v2.this["idle"].criteria[0].threshold == 1 && strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.this["idle"].criteria[0].query, "'ServiceBusTopic Count'")
    error_message = "a day without a call of this function"
  }

  assert {
    condition = { for name, one in azurerm_monitor_metric_alert.this : name => [one.window_size, one.criteria[0].aggregation, one.criteria[0].operator, one.criteria[0].threshold] } == {
      size-orders          = ["PT15M", "Maximum", "GreaterThan", 644245094]
      backlog              = ["PT30M", "Average", "GreaterThan", 10000]
      dead-letters         = ["PT15M", "Maximum", "GreaterThan", 0]
      throttled            = ["PT15M", "Total", "GreaterThan", 100]
      broker-errors        = ["PT15M", "Total", "GreaterThan", 10]
      storage-errors       = ["PT15M", "Total", "GreaterThan", 10]
      storage-availability = ["PT15M", "Average", "LessThan", 99]
    } && alltrue([for one in azurerm_monitor_metric_alert.this : one.frequency == "PT5M"])
    error_message = "each metric's window and limit"
  }

  assert {
    condition = { for name, one in azurerm_monitor_scheduled_query_rules_alert_v2.this : name => [one.window_duration, one.evaluation_frequency, one.criteria[0].time_aggregation_method, one.criteria[0].operator, one.criteria[0].threshold] } == {
      failures = ["PT15M", "PT15M", "Count", "GreaterThan", 0]
      idle     = ["P1D", "PT1H", "Count", "LessThan", 1]
    }
    error_message = "each query's window and limit"
  }

  assert {
    condition     = strcontains(azurerm_monitor_metric_alert.this["storage-errors"].description, "403 (AuthorizationError) for a message that comes again") && !strcontains(azurerm_monitor_metric_alert.this["size-orders"].description, "partitioned")
    error_message = "who is told must know what else it may be"
  }

  assert {
    condition     = alltrue([for one in azurerm_monitor_scheduled_query_rules_alert_v2.this : one.skip_query_validation])
    error_message = "a new workspace has no tables"
  }

  assert {
    condition     = alltrue([for one in azurerm_monitor_metric_alert.this : length(one.action) == 0]) && alltrue([for one in azurerm_monitor_scheduled_query_rules_alert_v2.this : length(one.action) == 0])
    error_message = "nobody is told unless named"
  }
}

run "new_topic" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", create = { max_size_in_megabytes = 2048, partitioning_enabled = true } } }
  }

  assert {
    condition     = azurerm_servicebus_topic.new[0].partitioning_enabled == null || azurerm_servicebus_topic.new[0].partitioning_enabled == false
    error_message = "a partitioned topic of Standard has sixteen times the size that is said of it"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders"].criteria[0].threshold == floor(2048 * 1024 * 1024 * 0.6)
    error_message = "of the size that it is made with"
  }
}

run "queue_behind" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "orders-archive", max_size_in_megabytes = 3072 } } }
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders-archive"].criteria[0].threshold == floor(3072 * 1024 * 1024 * 0.6) && azurerm_monitor_metric_alert.this["size-orders-archive"].criteria[0].dimension[0].values == tolist(["orders-archive"]) && contains(keys(azurerm_monitor_metric_alert.this), "size-orders")
    error_message = "the queue's size, and still the topic's, whose dead letters count in it"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["backlog"].criteria[0].dimension[0].values == tolist(["orders-archive"])
    error_message = "what waits, waits in the queue"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["dead-letters"].criteria[0].dimension[0].values == tolist(["orders", "orders-archive"])
    error_message = "what finds no place in the queue becomes a dead letter of the subscription"
  }

  assert {
    condition     = strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.this["idle"].criteria[0].query, "'ServiceBusQueue Count'")
    error_message = "a day without a call of this function"
  }
}

run "own_queue" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders-archive"].criteria[0].threshold == floor(2048 * 1024 * 1024 * 0.6)
    error_message = "of the size that it has"
  }
}

run "partitioned" {
  command = plan

  override_data {
    target = data.azurerm_servicebus_topic.existing
    values = { max_size_in_megabytes = 5120, partitioning_enabled = true }
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders"].criteria[0].threshold == floor(5120 * 1024 * 1024 * 0.6) && strcontains(azurerm_monitor_metric_alert.this["size-orders"].description, "it takes sixteen times that size, and this came early")
    error_message = "who is told early must know it"
  }
}

run "event_hub" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  assert {
    condition     = toset(keys(azurerm_monitor_metric_alert.this)) == toset(["throttled", "broker-errors", "storage-errors", "storage-availability"])
    error_message = "a hub has no size that could be full, no backlog and no dead letters"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["throttled"].criteria[0].metric_namespace == "Microsoft.EventHub/namespaces" && azurerm_monitor_metric_alert.this["throttled"].criteria[0].dimension[0].values == tolist(["clicks"])
    error_message = "of its namespace"
  }

  assert {
    condition     = strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.this["rejected"].criteria[0].query, "an event cannot be read")
    error_message = "events that cannot be read"
  }
}

run "told" {
  command = plan

  variables {
    alerts = { action_group_ids = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/oncall"], size_percent = 40, backlog = 500, dead_letters = 7, idle = false }
  }

  assert {
    condition     = alltrue([for one in azurerm_monitor_metric_alert.this : one(one.action).action_group_id == var.alerts.action_group_ids[0]]) && alltrue([for one in azurerm_monitor_scheduled_query_rules_alert_v2.this : one.action[0].action_groups == tolist(var.alerts.action_group_ids)])
    error_message = "everybody named is told of everything"
  }

  assert {
    condition     = azurerm_monitor_metric_alert.this["size-orders"].criteria[0].threshold == floor(1024 * 1024 * 1024 * 0.4) && azurerm_monitor_metric_alert.this["backlog"].criteria[0].threshold == 500 && azurerm_monitor_metric_alert.this["dead-letters"].criteria[0].threshold == 7
    error_message = "at the numbers asked for"
  }

  assert {
    condition     = !contains(keys(azurerm_monitor_scheduled_query_rules_alert_v2.this), "idle")
    error_message = "quiet days may be normal"
  }
}

run "off" {
  command = plan

  variables {
    alerts = { enabled = false }
  }

  assert {
    condition     = length(azurerm_monitor_metric_alert.this) == 0 && length(azurerm_monitor_scheduled_query_rules_alert_v2.this) == 0
    error_message = "none"
  }
}
