# The archive: an account with nothing else in it, and a container. Nothing here may ever be destroyed along with the rest, so it is guarded three times:
#
# - `prevent_destroy` refuses a plan that would destroy it, before anything else is done. It ends with the block itself: who takes the module out of the configuration takes it out too.
# - The lock then refuses the deletion in Azure. It is put there by a request that Terraform never takes back, since a lock that Terraform manages would be the first thing to be
#   destroyed.
# - Soft delete brings back what was deleted through the data plane, which a lock does not see.

locals {
  makes_archive = var.archive == null

  archive_account_name = coalesce(
    var.archive_account.name,
    "${substr(replace(var.name, "-", ""), 0, 14)}arc${substr(sha256("archive of ${var.resource_group_id}/${var.name}"), 0, 7)}",
  )
  archive_account_id = local.makes_archive ? "${var.resource_group_id}/providers/Microsoft.Storage/storageAccounts/${local.archive_account_name}" : var.archive.storage_account_id
  archive_parts      = split("/", local.archive_account_id)
  archive_container  = local.makes_archive ? var.archive_account.container : var.archive.container
  archive_prefix     = trim(local.makes_archive ? var.archive_account.prefix : var.archive.prefix, "/")
  container_id       = "${local.archive_account_id}/blobServices/default/containers/${local.archive_container}"

  archive_url = "az://${join("/", compact([element(local.archive_parts, length(local.archive_parts) - 1), local.archive_container, local.archive_prefix]))}"
}

resource "azurerm_storage_account" "archive" {
  #checkov:skip=CKV_AZURE_36:A network that was given is the only way in; nothing here needs Azure's services to go around it
  #checkov:skip=CKV_AZURE_59:Flex Consumption has no addresses of its own without a network; the input network closes the account to all but a subnet
  #checkov:skip=CKV2_AZURE_33:A private endpoint needs a network and its names, which are not this module's
  #checkov:skip=CKV_AZURE_33:There are no queues in this account
  count = local.makes_archive ? 1 : 0

  name                = local.archive_account_name
  resource_group_name = local.resource_group_name
  location            = var.location
  tags                = var.tags

  account_tier             = "Standard"
  account_kind             = "StorageV2"
  account_replication_type = var.archive_account.replication
  # Single messages are too small for the cooler tiers, which bill 128 KiB at least for each.
  access_tier = "Hot"

  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  local_user_enabled                = false
  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  cross_tenant_replication_enabled  = false
  infrastructure_encryption_enabled = var.archive_account.infrastructure_encryption
  # Its stricter names are not those of the archive's format.
  is_hns_enabled = false

  blob_properties {
    delete_retention_policy {
      days = var.archive_account.soft_delete_days
    }
    container_delete_retention_policy {
      days = var.archive_account.soft_delete_days
    }
  }

  dynamic "network_rules" {
    for_each = var.network[*]
    content {
      default_action             = "Deny"
      bypass                     = ["None"]
      virtual_network_subnet_ids = concat([network_rules.value.subnet_id], network_rules.value.reader_subnet_ids)
      ip_rules                   = network_rules.value.reader_ip_ranges
    }
  }

  dynamic "identity" {
    for_each = var.archive_account.customer_managed_key[*]
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.user_assigned_identity_id]
    }
  }

  dynamic "customer_managed_key" {
    for_each = var.archive_account.customer_managed_key[*]
    content {
      key_vault_key_id          = customer_managed_key.value.key_vault_key_id
      user_assigned_identity_id = customer_managed_key.value.user_assigned_identity_id
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "archive" {
  #checkov:skip=CKV2_AZURE_21:A log line for every blob would cost more than the blob
  count = local.makes_archive ? 1 : 0

  name                  = local.archive_container
  storage_account_id    = azurerm_storage_account.archive[0].id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container_immutability_policy" "archive" {
  count = local.makes_archive && var.archive_account.immutability != null ? 1 : 0

  storage_container_resource_manager_id = azurerm_storage_container.archive[0].id
  immutability_period_in_days           = var.archive_account.immutability.days
  locked                                = var.archive_account.immutability.locked
  protected_append_writes_all_enabled   = false

  lifecycle {
    prevent_destroy = true
  }
}

# A PUT and nothing else: destroying this resource sends no request.
resource "azapi_resource_action" "archive_lock" {
  count = local.makes_archive && var.archive_account.lock ? 1 : 0

  type        = "Microsoft.Authorization/locks@2020-05-01"
  resource_id = "${azurerm_storage_account.archive[0].id}/providers/Microsoft.Authorization/locks/persistor-archive"
  method      = "PUT"
  body = {
    properties = {
      level = "CanNotDelete"
      notes = "An archive of messages. Terraform made this lock and never takes it off."
    }
  }

  depends_on = [azurerm_storage_container.archive]
}
