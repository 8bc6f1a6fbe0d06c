# Each example, planned as a whole: several entities, made and existing, all parts at once.

mock_provider "azurerm" {
  source          = "./tests/mocks/azurerm"
  override_during = plan
}

mock_provider "azapi" {
  source          = "./tests/mocks/azapi"
  override_during = plan
}

run "topic" {
  command = plan

  module {
    source = "./examples/topic"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
    package         = "./tests/examples.tftest.hcl"
  }

  assert {
    condition     = output.archive_url == module.orders.archive_url && module.orders.function == "ServiceBusTopic"
    error_message = "the topic"
  }

  assert {
    condition     = strcontains(file("${path.module}/../../README.md"), replace(file("${path.module}/main.tf"), "source = \"../..\"", "source = \"git::https://HOST/PATH/persistor.git//terraform/azure?ref=v0.1.0\""))
    error_message = "the README shows this example, whole"
  }
}

run "event_hub" {
  command = plan

  module {
    source = "./examples/event-hub"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso"
  }

  assert {
    condition     = module.clicks.function == "EventHubs" && module.clicks.stream == "clicks"
    error_message = "the hub"
  }
}

run "queue_behind" {
  command = plan

  module {
    source = "./examples/queue-behind"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"

  }

  assert {
    condition     = module.orders.function == "ServiceBusQueue" && module.orders.app_settings.ServiceBusQueueName == "orders-archive" && module.orders.stream == "orders"
    error_message = "the queue behind"
  }
}

run "several" {
  command = plan

  module {
    source = "./examples/several"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"

  }

  assert {
    condition     = module.orders.archive_url == module.payments.archive_url && module.orders.app_settings.PERSISTOR_ARCHIVE == module.payments.app_settings.PERSISTOR_ARCHIVE
    error_message = "one archive"
  }

  assert {
    condition     = module.orders.stream == "orders" && module.payments.stream == "payments" && module.payments.archive.streams == ["orders", "payments"]
    error_message = "two streams"
  }

  assert {
    condition     = module.orders.app_settings.AzureWebJobsStorage__accountName != module.payments.app_settings.AzureWebJobsStorage__accountName
    error_message = "two hosts, each with its own account"
  }
}

run "everything" {
  command = plan

  module {
    source = "./examples/everything"
  }

  variables {
    subscription_id            = "00000000-0000-0000-0000-000000000000"
    namespace_id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
    subnet_id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.Network/virtualNetworks/main/subnets/app"
    log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.OperationalInsights/workspaces/all"
    action_group_id            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.Insights/actionGroups/oncall"
    readers_group_object_id    = "66666666-6666-6666-6666-666666666666"
    key                        = { key_id = "https://contoso.vault.azure.net/keys/archive", resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.KeyVault/vaults/contoso/keys/archive" }
  }

  assert {
    condition     = module.orders.function == "ServiceBusTopicSessions" && module.orders.archive_url == "az://contosoordersarchive/archive/messages"
    error_message = "with sessions, in its own account"
  }

  assert {
    condition     = module.orders.app_settings.AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentSessions == "4" && module.orders.app_settings.PERSISTOR_MEMORY == "1GiB" && module.orders.app_settings.PERSISTOR_WRITE_TIMEOUT == "60s" && module.orders.app_settings.PERSISTOR_RECORD == "always" && strcontains(module.orders.app_settings.PERSISTOR_KEY_TEMPLATE, "{shard:2}")
    error_message = "large messages, a record each, spread names"
  }

  # A plan shows nothing of what is inside a module of the example, and a member of an object that is called otherwise is dropped without a word.
  assert {
    condition = alltrue([for part in [
      "sessions = true create = { max_size_in_megabytes = 81920 max_message_size_in_kilobytes = 102400 }",
      "immutability = { days = 365 }",
      "customer_managed_key = { key_vault_key_id = var.key.key_id user_assigned_identity_id = azurerm_user_assigned_identity.key.id }",
      "network = { subnet_id = var.subnet_id reader_ip_ranges = var.office_addresses }",
      "alerts = { action_group_ids = [var.action_group_id]",
      "log_analytics_workspace_id = var.log_analytics_workspace_id",
    ] : strcontains(replace(file("${path.module}/main.tf"), "/\\s+/", " "), part)])
    error_message = "a new topic with sessions and large messages, a network, a key of one's own, immutability, alerts that tell somebody"
  }

  assert {
    condition     = azurerm_role_assignment.readers.scope == module.orders.reader_role.scope && azurerm_role_assignment.readers.role_definition_name == "Storage Blob Data Reader"
    error_message = "and readers"
  }
}

run "from_nothing" {
  command = plan

  module {
    source = "./examples/from-nothing"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    name            = "contoso-orders"
    package         = "./tests/examples.tftest.hcl"
  }

  assert {
    condition     = module.orders.function == "ServiceBusTopic" && module.orders.stream == "orders"
    error_message = "a new topic in a new namespace"
  }

  assert {
    condition     = toset(keys(azurerm_role_assignment.me)) == toset(["Azure Service Bus Data Sender", "Storage Blob Data Reader"])
    error_message = "who applies it must be able to try it"
  }
}
