output "archive" {
  description = "The archive, as another call takes it: `archive = module.NAME.archive`."
  value = {
    storage_account_id = local.archive_account_id
    container          = local.archive_container
    prefix             = local.archive_prefix
    streams            = concat(try(var.archive.streams, []), [local.stream])
  }
  depends_on = [azurerm_storage_container.archive]
}

output "archive_url" {
  description = "Where messages are stored, as the command line takes it: `persistor status -a URL`."
  value       = local.archive_url
}

output "stream" {
  description = "The stream's name in the archive."
  value       = local.stream
}

output "app_id" {
  description = "Id of the function app."
  value       = azapi_resource.app.id
}

output "app_settings" {
  description = "The app's settings; there are no secrets among them."
  value       = local.app_settings
}

output "function" {
  description = "The one function of the package that is switched on."
  value       = local.function
}

output "identity" {
  description = "The app's identity, for rights that it needs beyond this module's, such as on a key."
  value = {
    id           = azurerm_user_assigned_identity.app.id
    client_id    = azurerm_user_assigned_identity.app.client_id
    principal_id = azurerm_user_assigned_identity.app.principal_id
  }
}

output "reader_role" {
  description = "The role that people and programs need who read the archive, and its scope, as azurerm_role_assignment takes them."
  value = {
    role_definition_name = "Storage Blob Data Reader"
    scope                = local.container_id
  }
}

output "replayer_roles" {
  description = "The roles of who replays: to read the archive, and to send to the topic or queue that it was read from. To replay elsewhere, give the second one there."
  value = concat(
    [{ role_definition_name = "Storage Blob Data Reader", scope = local.container_id }],
    local.topic != null ? [{ role_definition_name = "Azure Service Bus Data Sender", scope = local.topic_id }] : [],
    local.queue != null ? [{ role_definition_name = "Azure Service Bus Data Sender", scope = "${local.namespace_id}/queues/${local.queue.name}" }] : [],
  )
}

output "application_insights_id" {
  description = "Id of the Application Insights component with the app's logs."
  value       = azurerm_application_insights.this.id
}

output "outage_seconds" {
  description = "For how long the archive's storage may be out before the first message is given up; `null` with an event hub, where retention is the bound."
  value       = local.event_hub != null ? null : local.deadline_seconds * (local.queue == null ? var.max_delivery_count : one(data.azurerm_servicebus_queue.own[*].max_delivery_count))
}
