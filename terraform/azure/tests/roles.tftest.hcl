# Who may do what: each right where it is needed, and none that is wider.

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

run "writer" {
  command = plan

  assert {
    condition     = azurerm_role_definition.writer.permissions[0].data_actions == toset(["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"])
    error_message = "creating and looking, not overwriting, not deleting"
  }

  assert {
    condition     = length(azurerm_role_definition.writer.permissions) == 1 && length(azurerm_role_definition.writer.permissions[0].actions) == 0
    error_message = "no right to manage"
  }

  assert {
    condition     = azurerm_role_definition.writer.scope == var.resource_group_id && azurerm_role_definition.writer.assignable_scopes == tolist([var.resource_group_id])
    error_message = "a role of the archive's resource group"
  }

  assert {
    condition     = strcontains(azurerm_role_definition.writer.name, var.name)
    error_message = "names of roles are unique in a tenant"
  }

  assert {
    condition     = azurerm_role_assignment.writer.scope == "${var.resource_group_id}/providers/Microsoft.Storage/storageAccounts/${azurerm_storage_account.archive[0].name}/blobServices/default/containers/archive"
    error_message = "in that container only"
  }

  assert {
    condition     = azurerm_role_assignment.writer.role_definition_id == azurerm_role_definition.writer.role_definition_resource_id
    error_message = "by that role"
  }

  assert {
    condition     = azurerm_role_assignment.writer.principal_id == azurerm_user_assigned_identity.app.principal_id && azurerm_role_assignment.writer.principal_type == "ServicePrincipal"
    error_message = "by the app"
  }
}

run "host" {
  command = plan

  assert {
    condition     = azurerm_role_assignment.host.scope == azurerm_storage_account.host.id && azurerm_role_assignment.host.role_definition_name == "Storage Blob Data Owner" && azurerm_role_assignment.host.principal_id == azurerm_user_assigned_identity.app.principal_id
    error_message = "the host's own account is its own"
  }

  assert {
    condition     = azurerm_role_assignment.logs.scope == azurerm_application_insights.this.id && azurerm_role_assignment.logs.role_definition_name == "Monitoring Metrics Publisher" && azurerm_role_assignment.logs.principal_id == azurerm_user_assigned_identity.app.principal_id
    error_message = "its own logs"
  }
}

run "nothing_else" {
  command = plan

  assert {
    condition     = length(regexall("resource \"azurerm_role_assignment\"", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 4 && length(regexall("resource \"azurerm_role_definition\"", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 1
    error_message = "four rights: each one is checked here"
  }

  assert {
    condition     = length(regexall("resource \"azurerm_user_assigned_identity\"", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 1 && length(regexall("SystemAssigned", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 0
    error_message = "one identity"
  }

  assert {
    condition     = length(regexall("(Contributor|Data Owner)\"", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 1
    error_message = "the one wide right is that on the host's own account"
  }

  assert {
    condition     = length(regexall("(primary|secondary)_(access_key|connection_string)|listKeys|AZURE_STORAGE_SAS_TOKEN", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 0
    error_message = "no keys"
  }
}

run "topic" {
  command = plan

  assert {
    condition     = azurerm_role_assignment.receiver.scope == azurerm_servicebus_subscription.archive[0].id
    error_message = "on its own entity and nothing wider"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.role_definition_name == "Azure Service Bus Data Receiver"
    error_message = "to receive and nothing more"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.principal_id == azurerm_user_assigned_identity.app.principal_id
    error_message = "by the app"
  }
}

run "queue_behind" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "orders-archive" } } }
  }

  assert {
    condition     = azurerm_role_assignment.receiver.scope == azurerm_servicebus_queue.behind[0].id
    error_message = "on its own entity and nothing wider"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.role_definition_name == "Azure Service Bus Data Receiver"
    error_message = "to receive and nothing more"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.principal_id == azurerm_user_assigned_identity.app.principal_id
    error_message = "by the app"
  }
}

run "own_queue" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  assert {
    condition     = azurerm_role_assignment.receiver.scope == "${var.entity.queue.namespace_id}/queues/orders-archive"
    error_message = "on its own entity and nothing wider"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.role_definition_name == "Azure Service Bus Data Receiver"
    error_message = "to receive and nothing more"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.principal_id == azurerm_user_assigned_identity.app.principal_id
    error_message = "by the app"
  }
}

run "event_hub" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  assert {
    condition     = azurerm_role_assignment.receiver.scope == "${var.entity.event_hub.namespace_id}/eventhubs/clicks"
    error_message = "on its own entity and nothing wider"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.role_definition_name == "Azure Event Hubs Data Receiver"
    error_message = "to receive and nothing more"
  }

  assert {
    condition     = azurerm_role_assignment.receiver.principal_id == azurerm_user_assigned_identity.app.principal_id
    error_message = "by the app"
  }
}

run "people" {
  command = plan

  assert {
    condition     = output.reader_role == { role_definition_name = "Storage Blob Data Reader", scope = azurerm_role_assignment.writer.scope }
    error_message = "readers read, in that container"
  }

  assert {
    condition     = output.replayer_roles == [{ role_definition_name = "Storage Blob Data Reader", scope = azurerm_role_assignment.writer.scope }, { role_definition_name = "Azure Service Bus Data Sender", scope = "${var.entity.topic.namespace_id}/topics/orders" }]
    error_message = "who replays reads, and sends to that topic"
  }
}

run "people_of_a_queue" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "the archive is the only consumer of this queue" } }
  }

  assert {
    condition     = output.replayer_roles[1] == { role_definition_name = "Azure Service Bus Data Sender", scope = "${var.entity.queue.namespace_id}/queues/orders-archive" }
    error_message = "who replays sends to that queue"
  }
}

run "people_of_an_event_hub" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  assert {
    condition     = length(output.replayer_roles) == 1
    error_message = "there is no replay to event hubs"
  }
}
