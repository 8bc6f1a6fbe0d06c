# Application Insights, capped: nothing that the app says may cost more than what it stores.

resource "azurerm_log_analytics_workspace" "this" {
  count = var.log_analytics_workspace_id == null ? 1 : 0

  name                         = var.name
  resource_group_name          = local.resource_group_name
  location                     = var.location
  tags                         = var.tags
  sku                          = "PerGB2018"
  retention_in_days            = 30
  daily_quota_gb               = var.log_daily_cap_gb
  local_authentication_enabled = false
}

resource "azurerm_application_insights" "this" {
  name                = var.name
  resource_group_name = local.resource_group_name
  location            = var.location
  tags                = var.tags
  application_type    = "other"
  workspace_id        = var.log_analytics_workspace_id != null ? var.log_analytics_workspace_id : one(azurerm_log_analytics_workspace.this[*].id)

  daily_data_cap_in_gb = var.log_daily_cap_gb
  # Only Entra ID lets anything in, so the connection string is an address and no secret.
  local_authentication_enabled = false
}
