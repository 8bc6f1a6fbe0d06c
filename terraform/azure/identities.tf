# One identity for the app, and what it may do: create blobs in the archive's container, receive from its own entity, keep its own house, send its own logs. Assigned before the app
# is there, so that they hold by the time it starts.

resource "azurerm_user_assigned_identity" "app" {
  name                = var.name
  resource_group_name = local.resource_group_name
  location            = var.location
  tags                = var.tags
}

# Storage Blob Data Contributor could overwrite and delete. The right to read tells a blob that is there already from a right that is missing; no payload is read.
resource "azurerm_role_definition" "writer" {
  name        = "Persistor Writer (${var.name})"
  description = "Creates blobs that are not there yet."
  scope       = join("/", slice(local.archive_parts, 0, 5))

  assignable_scopes = [join("/", slice(local.archive_parts, 0, 5))]

  permissions {
    actions = []
    data_actions = [
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    ]
  }
}

resource "azurerm_role_assignment" "writer" {
  description        = "${var.name} stores messages"
  scope              = local.container_id
  role_definition_id = azurerm_role_definition.writer.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.app.principal_id
  principal_type     = "ServicePrincipal"

  skip_service_principal_aad_check = true

  depends_on = [azurerm_storage_container.archive]
}

# On the subscription and not on its topic, where Azure would not take it for enough, and on nothing that others read.
resource "azurerm_role_assignment" "receiver" {
  description          = "${var.name} receives messages"
  scope                = local.receiver_scope
  role_definition_name = local.event_hub != null ? "Azure Event Hubs Data Receiver" : "Azure Service Bus Data Receiver"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"

  skip_service_principal_aad_check = true

  depends_on = [azurerm_eventhub_consumer_group.archive, data.azurerm_servicebus_queue.own]
}

locals {
  receiver_scope = (
    local.event_hub != null ? "${local.namespace_id}/eventhubs/${local.event_hub.name}" :
    local.queue != null ? "${local.namespace_id}/queues/${local.queue.name}" :
    local.queue_behind != null ? one(azurerm_servicebus_queue.behind[*].id) :
    one(azurerm_servicebus_subscription.archive[*].id)
  )
}

resource "azurerm_role_assignment" "host" {
  description          = "${var.name}'s host keeps its locks, checkpoints and package"
  scope                = azurerm_storage_account.host.id
  role_definition_name = "Storage Blob Data Owner"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"

  skip_service_principal_aad_check = true
}

resource "azurerm_role_assignment" "logs" {
  description          = "${var.name} sends its logs"
  scope                = azurerm_application_insights.this.id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"

  skip_service_principal_aad_check = true
}
