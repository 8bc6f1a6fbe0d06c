# Each kind of entity, made or there already: what is read, by which function, under which name.

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

run "new_topic" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", create = { max_size_in_megabytes = 2048 } } }
  }

  assert {
    condition     = azurerm_servicebus_topic.new[0].name == "orders" && azurerm_servicebus_topic.new[0].namespace_id == var.entity.topic.namespace_id && azurerm_servicebus_topic.new[0].max_size_in_megabytes == 2048
    error_message = "the topic must be made"
  }

  assert {
    condition     = length(data.azurerm_servicebus_topic.existing) == 0
    error_message = "what is not there yet cannot be asked for"
  }

  assert {
    condition     = length(azurerm_servicebus_subscription.archive) == 1
    error_message = "and get its subscription"
  }
}

run "new_topic_as_large_as_there_is" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", create = {} } }
  }

  assert {
    condition     = azurerm_servicebus_topic.new[0].max_size_in_megabytes == 5120
    error_message = "the largest that Standard has"
  }
}

run "sessions" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", sessions = true } }
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].requires_session
    error_message = "the subscription must have sessions"
  }

  assert {
    condition     = local.function == "ServiceBusTopicSessions"
    error_message = "the function for sessions"
  }

  assert {
    condition     = !contains(keys(local.app_settings), "AzureWebJobs.ServiceBusTopicSessions.Disabled") && local.app_settings["AzureWebJobs.ServiceBusTopic.Disabled"] == "1"
    error_message = "it must be on, its sibling off"
  }

  assert {
    condition     = local.app_settings.AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentSessions == "16" && local.app_settings.AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration == "01:00:00"
    error_message = "sixteen sessions, with locks that outlast them"
  }
}

run "queue_behind" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "orders-archive", max_size_in_megabytes = 3072 } } }
  }

  assert {
    condition     = azurerm_servicebus_queue.behind[0].name == "orders-archive" && azurerm_servicebus_queue.behind[0].namespace_id == var.entity.topic.namespace_id && azurerm_servicebus_queue.behind[0].max_size_in_megabytes == 3072
    error_message = "a queue of the archive's own"
  }

  assert {
    condition     = coalesce(azurerm_servicebus_queue.behind[0].max_message_size_in_kilobytes, 0) == 0
    error_message = "Standard takes no such number"
  }

  assert {
    condition     = azurerm_servicebus_subscription.archive[0].forward_to == "orders-archive"
    error_message = "the subscription must forward to it"
  }

  assert {
    condition     = azurerm_servicebus_queue.behind[0].lock_duration == "PT5M" && azurerm_servicebus_queue.behind[0].max_delivery_count == 2000 && azurerm_servicebus_queue.behind[0].dead_lettering_on_message_expiration
    error_message = "with the lock and the deliveries that the subscription would have"
  }

  assert {
    condition     = local.function == "ServiceBusQueue" && local.app_settings.ServiceBusQueueName == "orders-archive" && !contains(keys(local.app_settings), "ServiceBusTopicName")
    error_message = "the queue must be read, not the subscription"
  }

  assert {
    condition     = local.stream == "contoso.orders-archive"
    error_message = "the stream of a queue"
  }

  assert {
    condition     = output.outage_seconds == 480000
    error_message = "2000 deliveries of 240 seconds"
  }
}

run "own_queue" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  assert {
    condition     = local.function == "ServiceBusQueue" && local.app_settings.ServiceBusQueueName == "orders-archive"
    error_message = "the queue must be read"
  }

  assert {
    condition     = length(azurerm_servicebus_queue.behind) == 0 && length(azurerm_servicebus_subscription.archive) == 0 && length(azurerm_servicebus_topic.new) == 0
    error_message = "nothing may be made in the namespace"
  }
}

run "own_queue_with_sessions" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", sessions = true, consent = "the archive is the only consumer of this queue" } }
  }

  override_data {
    target = data.azurerm_servicebus_queue.own
    values = { lock_duration = "PT5M", max_delivery_count = 2000, requires_session = true, dead_lettering_on_message_expiration = true, max_size_in_megabytes = 1024 }
  }

  assert {
    condition     = local.function == "ServiceBusQueueSessions"
    error_message = "the function for sessions"
  }
}

run "own_queue_short_lock" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  override_data {
    target = data.azurerm_servicebus_queue.own
    values = { lock_duration = "PT1M", max_delivery_count = 2000, requires_session = false, dead_lettering_on_message_expiration = true, max_size_in_megabytes = 1024 }
  }

  expect_failures = [data.azurerm_servicebus_queue.own]
}

run "own_queue_few_deliveries" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  override_data {
    target = data.azurerm_servicebus_queue.own
    values = { lock_duration = "PT5M", max_delivery_count = 10, requires_session = false, dead_lettering_on_message_expiration = true, max_size_in_megabytes = 1024 }
  }

  expect_failures = [data.azurerm_servicebus_queue.own]
}

run "own_queue_has_sessions" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  override_data {
    target = data.azurerm_servicebus_queue.own
    values = { lock_duration = "PT5M", max_delivery_count = 2000, requires_session = true, dead_lettering_on_message_expiration = true, max_size_in_megabytes = 1024 }
  }

  expect_failures = [data.azurerm_servicebus_queue.own]
}

run "own_queue_drops_expired" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  override_data {
    target = data.azurerm_servicebus_queue.own
    values = { lock_duration = "PT5M", max_delivery_count = 2000, requires_session = false, dead_lettering_on_message_expiration = false, max_size_in_megabytes = 1024 }
  }

  expect_failures = [data.azurerm_servicebus_queue.own]
}

run "event_hub" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  assert {
    condition     = azurerm_eventhub_consumer_group.archive[0].name == "persistor" && azurerm_eventhub_consumer_group.archive[0].eventhub_name == "clicks" && azurerm_eventhub_consumer_group.archive[0].namespace_name == "contoso" && azurerm_eventhub_consumer_group.archive[0].resource_group_name == "pipeline"
    error_message = "a consumer group of the archive's own"
  }

  assert {
    condition     = local.function == "EventHubs" && local.app_settings.EventHubName == "clicks" && local.app_settings.EventHubConsumerGroup == "persistor"
    error_message = "the hub must be read by it"
  }

  assert {
    condition     = local.app_settings.EventHubsConnection__fullyQualifiedNamespace == "contoso.servicebus.windows.net" && local.app_settings.EventHubsConnection__clientId == azurerm_user_assigned_identity.app.client_id && local.app_settings.EventHubsConnection__credential == "managedidentity"
    error_message = "by the app's identity"
  }

  assert {
    condition     = !contains(keys(local.app_settings), "PERSISTOR_DEADLINE") && length([for name in keys(local.app_settings) : name if strcontains(name, "erviceBusConnection")]) == 0
    error_message = "nothing of Service Bus"
  }

  assert {
    condition     = local.stream == "contoso.clicks" && output.outage_seconds == null
    error_message = "the stream of a hub; retention is its bound"
  }
}

run "stream_and_template" {
  command = plan

  variables {
    stream       = "orders"
    key_template = "{shard:2}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
    record       = "always"
    log_level    = "warn"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_STREAM == "orders" && local.app_settings.PERSISTOR_KEY_TEMPLATE == var.key_template && local.app_settings.PERSISTOR_RECORD == "always" && local.app_settings.PERSISTOR_LOG == "warn"
    error_message = "what is asked for must reach the program"
  }

  assert {
    condition     = output.stream == "orders" && output.archive.streams == ["orders"]
    error_message = "and be told"
  }
}

run "small_instances" {
  command = plan

  variables {
    instance_memory_mb = 512
    max_instances      = 100
  }

  assert {
    condition     = local.app_settings.PERSISTOR_MEMORY == "128MiB" && local.app_settings.PERSISTOR_MAX_BODY == "16MiB"
    error_message = "limits of an instance of 512 MB"
  }

  assert {
    condition     = azapi_resource.app.body.properties.functionAppConfig.scaleAndConcurrency == { instanceMemoryMB = 512, maximumInstanceCount = 100 }
    error_message = "of that size"
  }
}

run "large_messages" {
  command = plan

  variables {
    instance_memory_mb    = 4096
    largest_message_mb    = 100
    concurrent_calls      = 4
    write_timeout_seconds = 60
    deadline_seconds      = 200
  }

  assert {
    condition     = local.app_settings.PERSISTOR_MEMORY == "1GiB" && local.app_settings.PERSISTOR_MAX_BODY == "144MiB" && local.app_settings.PERSISTOR_WRITE_TIMEOUT == "60s" && local.app_settings.PERSISTOR_DEADLINE == "200s"
    error_message = "limits of an instance of 4,096 MB"
  }

  assert {
    condition     = local.app_settings.AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls == "4"
    error_message = "four at a time"
  }

  assert {
    condition     = output.outage_seconds == 400000
    error_message = "2000 deliveries of 200 seconds"
  }
}

run "other_clouds" {
  command = plan

  variables {
    cloud = "china"
  }

  assert {
    condition     = local.app_settings.ServiceBusConnection__fullyQualifiedNamespace == "contoso.servicebus.chinacloudapi.cn" && local.app_settings.AZURE_STORAGE_SERVICE_ENDPOINT == "https://${azurerm_storage_account.archive[0].name}.blob.core.chinacloudapi.cn" && local.app_settings.AzureWebJobsStorage__blobServiceUri == "https://${azurerm_storage_account.host.name}.blob.core.chinacloudapi.cn"
    error_message = "host names of that cloud"
  }
}

run "network" {
  command = plan

  variables {
    network = { subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/main/subnets/app", reader_ip_ranges = ["203.0.113.0/24"] }
  }

  assert {
    condition     = azapi_resource.app.body.properties.virtualNetworkSubnetId == var.network.subnet_id
    error_message = "the app must go out through the subnet"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].network_rules[0].default_action == "Deny" && azurerm_storage_account.archive[0].network_rules[0].virtual_network_subnet_ids == toset([var.network.subnet_id]) && azurerm_storage_account.archive[0].network_rules[0].ip_rules == toset(["203.0.113.0/24"]) && azurerm_storage_account.archive[0].network_rules[0].bypass == toset(["None"])
    error_message = "and nobody else get in"
  }
}

run "queue_behind_for_large_messages" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "orders-archive" } } }

    largest_message_mb = 10
  }

  assert {
    condition     = azurerm_servicebus_queue.behind[0].max_message_size_in_kilobytes == 10240
    error_message = "a queue that takes less than the topic would refuse what is forwarded"
  }
}

run "what_holds_messages_stays" {
  command = plan

  assert {
    condition     = length(regexall("prevent_destroy = true", file("${path.module}/source.tf"))) == 3
    error_message = "topic, subscription and queue must refuse to be destroyed"
  }
}

run "templates_of_every_kind" {
  command = plan

  variables {
    key_template = "{stream}/{attribute:event_type|_/none}/{shard:8}{time:%Y}/x-{time:%m%d-%H}/{id}{digest}"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_KEY_TEMPLATE == var.key_template
    error_message = "what the program takes is not refused"
  }
}
